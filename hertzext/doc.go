// Package hertzext answers health checks on a Hertz server, from the report of a [health.Monitor].
//
//	h.Use(hertzext.Healthz(monitor))     // as a middleware: no route has to be registered
//	hertzext.Routes(h.Group("/ops"), monitor) // or as handlers of a router
//
// It answers GET and HEAD; any other method gets 405.
//
//	/healthz          one word for each dependency; 200 while the process is ready, else 503
//	/healthz/<probe>  one dependency; 200 while it is ok, degraded or disabled, else 503; 404 for a name that no probe has
//	/livez            process and scheduler, never a dependency
//	/readyz           the critical probes; the code of readiness
//	/startupz         200 from the first moment at which every critical probe was ok
//
// One slash at the end of a path changes nothing; as routes, /livez/, /readyz/ and /startupz/ are redirected by Hertz.
//
// The body is a JSON object of words, sorted by name, that stays the same byte for byte while nothing changes:
//
//	{"db":"ok","redis":"timeout"}
//
// The header X-Health-Status sums up the body that it comes with: ok, degraded, failing, starting or draining; on
// /healthz and /readyz that is the status of the process. No answer may be cached, and none holds an address, an error's
// text or a time, except for callers whom the authorizer lets see ?verbose: they get the full report of /healthz, /readyz
// or one probe. Errors are reduced to a class there, too.
//
// Bodies are encoded by the first request after something has changed, not by each. An answer allocates nothing.
//
// [LogHandler] writes Muster's log to Hertz's logger. The package imports neither Kitex nor a registry.
package hertzext
