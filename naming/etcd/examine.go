package etcd

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/muster-go/muster/naming"
)

// examineTimeout bounds the look at one endpoint, so that one that says nothing leaves time for the rest.
const examineTimeout = 2 * time.Second

// Examination is what Examine has found out. It holds no secret.
type Examination struct {
	// Endpoints are in the order of the configuration.
	Endpoints []EndpointState
	// Err is why nobody could be asked about the rest: no endpoint answers, or the credentials are refused.
	Err error
	// Refused says that it was etcd that refused the credentials: the user is unknown, or the password another one.
	Refused bool
	// Auth says whether etcd asks for a user at all.
	Auth bool
	// Own is what the credentials may do in the namespace; Others what they may do in those that were asked about.
	Own    Access
	Others []Access
}

// EndpointState is one endpoint.
type EndpointState struct {
	// Endpoint is as it was configured.
	Endpoint string
	// Trouble is why it does not serve; TroubleNone if it does.
	Trouble Trouble
	// Err is the trouble in the words of whoever noticed it.
	Err error
	// Version is etcd's own; empty where it does not tell.
	Version string
}

// Access is what the credentials may do with the keys below a prefix.
type Access struct {
	// Namespace is the one that the prefix is of.
	Namespace, Prefix string
	Read, Write       bool
	// Err is set where it could not be found out.
	Err error
}

// Examine finds out how an etcd can be reached, and what may be done there: in the namespace of the configuration, and in
// others by name. Without a namespace it looks no further than whether the credentials are accepted. It is for people whom
// something puzzles. It takes as long as ctx allows, and two seconds at most for endpoints that don't answer.
//
// It writes nothing: what may be written is found out by transactions with a branch that is never taken, since etcd checks
// all that a transaction could do before it looks at the conditions.
func Examine(ctx context.Context, cfg Config, others []string) (*Examination, error) {
	entered := !cfg.Namespace.IsZero()
	if !entered {
		cfg.Namespace, _ = naming.NewNamespace("nowhere", "")
	}
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	creds, err := cfg.transport()
	if err != nil {
		return nil, err
	}
	x := &Examination{Endpoints: make([]EndpointState, len(cfg.Endpoints))}
	var wg sync.WaitGroup
	for i, e := range cfg.Endpoints {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, examineTimeout)
			defer cancel()
			x.Endpoints[i] = examineEndpoint(ctx, cfg, e)
		})
	}
	wg.Wait()
	x.Err = errors.New("no endpoint answers")
	for _, e := range x.Endpoints {
		if e.Trouble == TroubleNone {
			x.Err = nil
		}
	}
	if x.Err != nil {
		return x, nil
	}
	conn := newConnection(cfg, creds)
	defer conn.close()
	x.access(ctx, conn, entered, others)
	return x, nil
}

// access asks about the credentials.
func (x *Examination) access(ctx context.Context, conn *connection, entered bool, others []string) {
	stop := context.AfterFunc(ctx, conn.cancel)
	defer stop()
	anon, err := conn.client("", "")
	if err != nil {
		x.Err = err
		return
	}
	defer anon.Close()
	if x.Auth, err = authEnabled(ctx, anon); err != nil {
		if status.Code(err) == codes.Unimplemented {
			for i := range x.Endpoints {
				if e := &x.Endpoints[i]; e.Trouble == TroubleNone && e.Version == "" {
					e.Trouble, e.Err = TroubleNotEtcd, errNotHTTP2
				}
			}
		}
		x.Err = plain(err)
		return
	}
	h, err := conn.dial()
	if err != nil {
		x.Refused = refusal(err)
		x.Err = err
		return
	}
	defer h.close()
	x.versions(ctx, h.cli)
	if !entered {
		return
	}
	x.Own = accessTo(ctx, h.cli, conn.cfg.Root, conn.cfg.Namespace.Name())
	x.Refused = x.Own.Err != nil && refusal(x.Own.Err)
	if x.Own.Err != nil {
		x.Err = x.Own.Err
		return
	}
	for _, name := range others {
		x.Others = append(x.Others, accessTo(ctx, h.cli, conn.cfg.Root, name))
	}
}

// versions asks those endpoints that did not tell their version without a user.
func (x *Examination) versions(ctx context.Context, cli *clientv3.Client) {
	for i := range x.Endpoints {
		e := &x.Endpoints[i]
		if e.Trouble != TroubleNone || e.Version != "" {
			continue
		}
		if s, err := cli.Status(ctx, e.Endpoint); err == nil {
			e.Version = s.Version
		}
	}
}

// refusal reports whether an error says that etcd does not know who is asking.
func refusal(err error) bool {
	for _, e := range []error{rpctypes.ErrAuthFailed, rpctypes.ErrUserEmpty, rpctypes.ErrInvalidAuthToken, rpctypes.ErrUserNotFound} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// accessTo tries what may be done below the prefix of a namespace.
func accessTo(ctx context.Context, cli *clientv3.Client, root, namespace string) Access {
	a := Access{Namespace: namespace, Prefix: root + "/" + namespace + "/"}
	may := func(err error) bool {
		if err != nil && !errors.Is(rpctypes.Error(err), rpctypes.ErrPermissionDenied) && a.Err == nil {
			a.Err = fmt.Errorf("etcd: %s: %w", a.Prefix, err)
		}
		return err == nil
	}
	_, err := cli.Get(ctx, a.Prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
	a.Read = may(err)
	if a.Err != nil {
		return a
	}
	// A transaction without a condition never comes to its other branch.
	_, err = cli.Txn(ctx).Else(clientv3.OpPut(a.Prefix+"doctor", "")).Commit()
	a.Write = may(err)
	return a
}
