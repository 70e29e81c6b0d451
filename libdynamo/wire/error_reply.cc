// Errors as the wire carries them.
#include "libdynamo/wire/frames.h"

namespace dynamo::wire {
namespace {

const std::string no_reason = "the daemon gives no reason";

}  // namespace

ErrorReply to_reply(const Error& error) {
    return {static_cast<std::uint16_t>(error.code),
            std::string(name_of(error.code)),
            error.message,
            is_retryable(error.code),
            std::string(name_of(error.applied)),
            error.node};
}

Error to_error(const ErrorReply& reply) {
    // What cannot be read counts as maybe: nobody must take an unknown word for "not applied".
    const Applied applied = reply.applied == "no"    ? Applied::no
                            : reply.applied == "yes" ? Applied::yes
                                                     : Applied::maybe;
    const std::string& message = reply.message.empty() ? no_reason : reply.message;
    return {static_cast<Code>(reply.code), message, reply.node, applied};
}

}  // namespace dynamo::wire
