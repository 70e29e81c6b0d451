// Prints what the code knows of the client protocol, one fact a line, for wire_page_test.py:
//
//     field put request key bin empty         operation, side, name, type, default
//     field get reply versions[].value bin empty
//     error 20 quorum_not_met yes             number, name, whether to try again
//     limit batch 4096
//     frame put-request 9400...               octets, as hexadecimal digits
#include <cstdio>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <variant>
#include <vector>

#include "libdynamo/base/bytes.h"
#include "libdynamo/wire/frames.h"
#include "libdynamo/wire/state_codec.h"
#include "libdynamo/wire/struct_codec.h"

namespace dynamo::wire {
namespace {

template <typename T>
std::string type_of(As as) {
    if constexpr (std::is_same_v<T, bool>)
        return "bool";
    else if constexpr (std::is_enum_v<T> || std::unsigned_integral<T>)
        return "uint";
    else if constexpr (std::signed_integral<T>)
        return "int";
    else if constexpr (std::floating_point<T>)
        return "float";
    else if constexpr (std::is_same_v<T, std::string>)
        return as == As::bin ? "bin" : "str";
    else if constexpr (is_vector<T>)
        return "array-of-" + type_of<typename T::value_type>(as);
    else
        return "map";
}

template <typename T>
std::string text_of(const T& value) {
    if constexpr (std::is_same_v<T, bool>)
        return value ? "true" : "false";
    else if constexpr (std::is_enum_v<T>)
        return std::to_string(static_cast<std::uint64_t>(value));
    else if constexpr (std::is_arithmetic_v<T>)
        return std::to_string(value);
    else
        return "empty";
}

template <Fielded T>
void list_fields(const std::string& prefix) {
    const T defaults;
    const auto one = [&](const auto& field) {
        using Value = std::remove_cvref_t<decltype(defaults.*field.member)>;
        const std::string name = prefix + std::string(field.name);
        std::printf("field %s %s %s\n", name.c_str(), type_of<Value>(field.as).c_str(),
                    text_of(defaults.*field.member).c_str());
        if constexpr (is_vector<Value>) {
            if constexpr (Fielded<typename Value::value_type>)
                list_fields<typename Value::value_type>(name + "[].");
        } else if constexpr (Fielded<Value>) {
            list_fields<Value>(name + ".");
        }
    };
    std::apply([&](const auto&... field) { (one(field), ...); }, T::fields());
}

template <std::size_t I>
void list_operation() {
    using Request = std::variant_alternative_t<I, ClientRequest>;
    const std::string op(Request::op);
    std::printf("operation %s\n", op.c_str());
    list_fields<Request>(op + " request ");
    // The reply to the request of one place stands one place further: ErrorReply comes first.
    list_fields<std::variant_alternative_t<I + 1, ClientReply>>(op + " reply ");
}

void list_operations() {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
        (list_operation<I>(), ...);
    }(std::make_index_sequence<std::variant_size_v<ClientRequest>>{});
    list_fields<ErrorReply>("error reply ");
}

void list_errors() {
    for (unsigned number = 0; number <= UINT16_MAX; ++number) {
        const auto code = static_cast<Code>(number);
        const std::string name(name_of(code));
        if (name != "unknown")
            std::printf("error %u %s %s\n", number, name.c_str(),
                        is_retryable(code) ? "yes" : "no");
    }
}

void list_limits() {
    const Limits limits;
    const auto one = [](const char* name, std::size_t limit) {
        std::printf("limit %s %zu\n", name, limit);
    };
    one("key", limits.key_bytes);
    one("value", limits.value_bytes);
    one("context", limits.context_bytes);
    one("frame", max_frame_bytes);
    one("batch", max_batch);
    one("depth", max_depth);
    one("elements", max_tokens);
    one("number", max_client_number);
}

void list_frames(const std::string& name, const Frames& frames) {
    std::printf("frame %s-header %s\n", name.c_str(), to_hex(frames.header).c_str());
    std::printf("frame %s-body %s\n", name.c_str(), to_hex(frames.body).c_str());
}

/// The page's example, and requests that hold all that a header can.
void list_example() {
    const Bytes key = "cart:7";
    Context context;
    context.cluster = ClusterId::from(Bytes(16, '\x99'));
    context.key = position_of(key);
    context.seen.add(Dot{{NodeId::from(Bytes(16, '\x11')), 42}, 1});

    PutRequest put;
    put.key = key;
    put.value = "milk";
    list_frames("put-request",
                encode_requests({Request{1, std::chrono::milliseconds(500), {}, put}}));
    PutReply stored;
    stored.context = encode(context);
    list_frames("put-reply", encode_replies({Reply{1, 2, stored}}, false));

    GetRequest get;
    get.key = key;
    const Request full{2, std::chrono::milliseconds(500), Bytes(16, '\x99'), get};
    list_frames("full-request", encode_requests({full}));
}

}  // namespace
}  // namespace dynamo::wire

int main() {
    dynamo::wire::list_operations();
    dynamo::wire::list_errors();
    dynamo::wire::list_limits();
    dynamo::wire::list_example();
}
