namespace go echo

// Echo is the service that Muster's own tests call.
struct Request {
    1: string message
}

struct Response {
    1: string message
    2: string served_by
}

service Echo {
    Response Say(1: Request req)
}

// EchoStream answers with a stream, whose instance is chosen once, when it is opened.
service EchoStream {
    Response Follow(1: Request req) (streaming.mode="server")
}
