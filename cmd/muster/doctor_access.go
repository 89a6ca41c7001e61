package main

import (
	"fmt"
	"strings"

	"github.com/muster-go/muster/naming/etcd"
)

// judgeAccess says what may be done in the own namespace, and whether there is a wall to the others.
func judgeAccess(all *findings, f facts) {
	if f.unconfirmed {
		return
	}
	own, root := f.exam.Own, f.cfg.Etcd.Root
	name := etcd.RoleName(root, own.Namespace)
	grant := fmt.Sprintf("use the namespace's own user, %s; 'muster roles %s' makes it", name, own.Namespace)
	switch {
	case own.Read && own.Write:
		all.addf(fine, "access", "", "may read and write below %s", own.Prefix)
	case own.Read:
		all.addf(fault, "access", grant, "may read, but not write below %s: nothing can register", own.Prefix)
	case own.Write:
		all.addf(fault, "access", grant, "may write, but not read below %s: nothing can register or resolve", own.Prefix)
	default:
		all.addf(fault, "access", grant, "may neither read nor write below %s: nothing can register or resolve", own.Prefix)
	}
	judgeWall(all, f, own.Namespace)
}

func judgeWall(all *findings, f facts, own string) {
	enable := fmt.Sprintf("where that matters: muster roles %s prod --enable-auth", own)
	if own == "prod" {
		enable = "where that matters: muster roles dev prod --enable-auth"
	}
	if !f.exam.Auth {
		all.addf(warning, "wall", enable, "there is none: without authentication any client may do anything in every namespace")
		return
	}
	var reached, refused []string
	for _, o := range f.exam.Others {
		switch {
		case o.Err != nil:
		case o.Read || o.Write:
			reached = append(reached, o.Namespace)
		default:
			refused = append(refused, o.Namespace)
		}
	}
	holds := true
	for _, e := range f.exam.Endpoints {
		if e.Trouble != etcd.TroubleNone || etcd.WallHolds(e.Version) {
			continue
		}
		holds = false
		what := fmt.Sprintf("etcd %s at %s does not hold it: it lets users reach past their roles", e.Version, e.Endpoint)
		if e.Version == "" {
			what = fmt.Sprintf("the version of %s is not known, so whether it holds it isn't either", e.Endpoint)
		}
		all.addf(warning, "wall", "upgrade etcd to "+etcd.WallVersions, "%s", what)
	}
	switch {
	case len(reached) > 0 && !f.exam.Own.Read && !f.exam.Own.Write:
		all.addf(warning, "wall", "see above", "these credentials are for other namespaces: %s", strings.Join(reached, ", "))
	case len(reached) > 0:
		all.addf(warning, "wall", fmt.Sprintf("use a user for this namespace alone, %s; 'muster roles %s' makes it",
			etcd.RoleName(f.cfg.Etcd.Root, own), own), "these credentials reach other namespaces, too: %s", strings.Join(reached, ", "))
	case len(refused) == 0:
		all.addf(warning, "wall", "run it again, or look at etcd's own log", "it could not be found out whether there is one")
	case holds:
		all.addf(fine, "wall", "", "other namespaces are refused: %s", strings.Join(refused, ", "))
	default:
		all.addf(fine, "wall", "", "roles refuse other namespaces, as far as this etcd obeys them: %s", strings.Join(refused, ", "))
	}
}

// judgeServing says what is there.
func judgeServing(all *findings, f facts) {
	ns := f.cfg.Namespace
	switch {
	case f.fleetErr != nil:
		all.addf(fault, "serving", "look at etcd's own log; is there a leader?", "the list could not be read: %s", reasonOf(f.fleetErr))
		return
	case f.fleet == nil:
		return
	case len(f.fleet.Members) == 0:
		all.addf(warning, "serving", fmt.Sprintf("start a server with kitexext.WithRegistry; if one runs, compare its MUSTER_NAMESPACE, "+
			"MUSTER_GROUP, MUSTER_KEY_ROOT and MUSTER_ETCD_ENDPOINTS with these (%s)", ns), "nothing is registered in %s", ns)
		return
	}
	for i := 0; i < len(f.fleet.Members); {
		service, alive, listed, unfit := f.fleet.Members[i].Service, 0, 0, 0
		for ; i < len(f.fleet.Members) && f.fleet.Members[i].Service == service; i++ {
			m := &f.fleet.Members[i]
			alive++
			if m.Listed {
				listed++
			}
			if m.Status.Unfit {
				unfit++
			}
		}
		service = clipped(service)
		if listed == 0 {
			all.addf(warning, "serving", fmt.Sprintf("muster ls %s", service), "%s: none of %d is listed for traffic, %d unfit", service, alive, unfit)
		} else {
			all.addf(fine, "serving", "", "%s: %d of %d listed for traffic, %d unfit", service, listed, alive, unfit)
		}
	}
}

func clipped(s string) string {
	const most = 80
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "..."
	}
	return s
}

// troubleText says in words what is the matter with an endpoint, and what to do.
func troubleText(e etcd.EndpointState) (text, next string) {
	const endpoints = "MUSTER_ETCD_ENDPOINTS"
	switch e.Trouble {
	case etcd.TroubleName:
		return "no such host", "correct the name in " + endpoints
	case etcd.TroubleRefused:
		return "nobody listens there", "start etcd, or correct " + endpoints + "; etcd's client port is 2379 unless it was told otherwise"
	case etcd.TroubleSilent:
		return "no answer in time", "look for a firewall, a host that is down, or a frozen etcd; or correct " + endpoints
	case etcd.TroublePlainPort:
		return "TLS is configured, and etcd listens there in plain text",
			"give etcd a certificate (--cert-file, --key-file); or write http:// in " + endpoints + " and unset MUSTER_ETCD_CA_FILE, MUSTER_ETCD_CERT_FILE and MUSTER_ETCD_KEY_FILE"
	case etcd.TroubleTLSPort:
		return "the port speaks TLS, and none is configured", "write https:// in " + endpoints + ", and set MUSTER_ETCD_CA_FILE to the authority of etcd's certificate"
	case etcd.TroubleUntrusted:
		return "its certificate is not trusted", "set MUSTER_ETCD_CA_FILE to the authority that signed etcd's certificate, and name the host as the certificate does"
	case etcd.TroubleClientCert:
		return "etcd does not accept the client's certificate", "set MUSTER_ETCD_CERT_FILE and MUSTER_ETCD_KEY_FILE to a certificate that etcd's --trusted-ca-file has signed"
	case etcd.TroubleNotEtcd:
		return "something listens there, and it is not etcd's client port", "correct " + endpoints + "; etcd's client port is 2379 unless it was told otherwise, 2380 is for its peers"
	}
	return "it does not answer", "look at the error"
}
