namespace go order

include "user.thrift"

struct Order {
    1: i64 id
    2: i64 user_id
    3: string item
    // In cents.
    4: i64 total
}

struct GetOrderRequest {
    1: i64 id
}

struct GetOrderResponse {
    1: Order order
    2: user.User buyer
    // In the order of the calls, the answering process first.
    3: list<user.Hop> served_by
}

struct CountOrdersRequest {
    1: i64 user_id
}

struct CountOrdersResponse {
    1: i64 count
    2: list<user.Hop> served_by
}

exception OrderNotFound {
    1: i64 id
}

service OrderService {
    // GetOrder reads an order and asks user-svc for its buyer.
    GetOrderResponse GetOrder(1: GetOrderRequest req) throws (1: OrderNotFound not_found)

    // CountOrders counts the orders of a user; of one that nobody knows there are none. user-svc calls it from GetUser,
    // which GetOrder calls: it must never call back.
    CountOrdersResponse CountOrders(1: CountOrdersRequest req)
}
