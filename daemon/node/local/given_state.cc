#include "daemon/node/local/given_state.h"

#include <algorithm>
#include <string>

#include "libdynamo/wire/codec.h"
#include "libdynamo/wire/state_codec.h"

namespace dynamo {
namespace {

std::unexpected<Error> too_large(const std::string& what, std::size_t has, std::size_t limit) {
    return fail(Code::too_large, "the state's " + what + ": " + std::to_string(has) +
                                     ", the limit is " + std::to_string(limit));
}

}  // namespace

Result<Object> given_state(BytesView encoded, const NodeOptions& options) {
    auto object = wire::decode_object(encoded);
    if (!object) return fail(Code::bad_request, "state: " + object.error().message);
    // Without a version it would take away what it covers and leave no tombstone.
    if (object->siblings.empty()) return fail(Code::bad_request, "the state has no version");
    if (object->siblings.size() > options.max_siblings)
        return too_large("siblings", object->siblings.size(), options.max_siblings);
    if (object->value_bytes() > options.max_object_bytes)
        return too_large("octets of values", object->value_bytes(), options.max_object_bytes);
    if (object->clock.size() > options.max_clock_entries)
        return too_large("clock entries", object->clock.size(), options.max_clock_entries);
    for (const Sibling& sibling : object->siblings) {
        if (sibling.value.size() > options.limits.value_bytes)
            return too_large("octets of one value", sibling.value.size(),
                             options.limits.value_bytes);
        // Where the last write wins, the next one takes a time after this one.
        if (sibling.wall_ms > static_cast<WallMs>(wire::max_client_number))
            return fail(Code::bad_request, "a version of the state is of an impossible time");
    }
    return object;
}

}  // namespace dynamo
