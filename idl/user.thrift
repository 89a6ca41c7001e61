namespace go user

// Hop names one process that worked on a request.
struct Hop {
    1: string service
    // The process that answered, as host:port of its RPC listener.
    2: string instance
    // When it began, in microseconds since 1970, by its own clock.
    3: i64 began_us
}

struct User {
    1: i64 id
    2: string name
    3: string email
}

struct GetUserRequest {
    1: i64 id
}

struct GetUserResponse {
    1: User user
    2: i64 order_count
    // In the order of the calls, the answering process first.
    3: list<Hop> served_by
}

exception UserNotFound {
    1: i64 id
}

service UserService {
    // GetUser reads a user and asks order-svc how many orders there are of it.
    GetUserResponse GetUser(1: GetUserRequest req) throws (1: UserNotFound not_found)
}
