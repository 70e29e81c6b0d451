// Errors as the wire carries them.
#include "libdynamo/wire/frames.h"

namespace dynamo::wire {

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
    return {static_cast<Code>(reply.code), reply.message, reply.node, applied};
}

}  // namespace dynamo::wire
