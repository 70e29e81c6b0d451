// How Admin's calls that look after a node ask it: what its header cannot name, for it is
// installed, and the messages are not.
//
// Threads: one owner at a time, as Admin
#pragma once

#include <utility>

#include "dynamo/admin.h"
#include "libdynamo/base/address.h"
#include "libdynamo/client/parts.h"

namespace dynamo {

struct Admin::Upkeep {
    template <typename Reply>
    [[nodiscard]] static Result<Reply> ask(Admin& admin, const std::string& address,
                                           wire::ClientRequest request) {
        const auto parsed = parse_address(address, default_client_port);
        if (!parsed) return std::unexpected(parsed.error());
        return reply_as<Reply>(admin.client_.parts_->ask(std::move(request), to_string(*parsed)));
    }
};

}  // namespace dynamo
