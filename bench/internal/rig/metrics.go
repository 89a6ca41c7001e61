package rig

import (
	"bufio"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Metrics are a node's counters, by name and labels as etcd writes them.
type Metrics map[string]float64

// Metrics reads the node's counters.
func (n *Node) Metrics() (Metrics, error) {
	r, err := http.Get("http://" + n.Endpoint() + "/metrics")
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	m := Metrics{}
	in := bufio.NewScanner(r.Body)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		line := in.Text()
		name, value, ok := strings.Cut(line, " ")
		if i := strings.LastIndexByte(line, ' '); ok && i > 0 && line[0] != '#' {
			name, value = line[:i], line[i+1:]
			if v, err := strconv.ParseFloat(value, 64); err == nil {
				m[name] = v
			}
		}
	}
	return m, in.Err()
}

// Received returns how many messages of a method clients have sent: a call that is not a stream is one.
func (m Metrics) Received(method string) (n float64) {
	for k, v := range m {
		if strings.HasPrefix(k, "grpc_server_msg_received_total{") && strings.Contains(k, fmt.Sprintf("grpc_method=%q", method)) {
			n += v
		}
	}
	return n
}

// Requests returns how many messages clients have sent.
func (m Metrics) Requests() (n float64) {
	for k, v := range m {
		if strings.HasPrefix(k, "grpc_server_msg_received_total{") {
			n += v
		}
	}
	return n
}

// Unary returns how many requests clients have made that are no streams, as watches and keepalives are.
func (m Metrics) Unary() (n float64) {
	for k, v := range m {
		if strings.HasPrefix(k, "grpc_server_msg_received_total{") && strings.Contains(k, `grpc_type="unary"`) {
			n += v
		}
	}
	return n
}

// CPU returns the processor seconds that etcd has used, and Memory the bytes that it occupies.
func (m Metrics) CPU() float64    { return m["process_cpu_seconds_total"] }
func (m Metrics) Memory() float64 { return m["process_resident_memory_bytes"] }

// Traffic returns the bytes that went between clients and the node.
func (m Metrics) Traffic() float64 {
	return m["etcd_network_client_grpc_received_bytes_total"] + m["etcd_network_client_grpc_sent_bytes_total"]
}
