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
