#include "daemon/node/coordination/service.h"

#include <algorithm>
#include <utility>

namespace dynamo {
namespace {

std::string_view op_of(const wire::ClientReply& reply) {
    if (std::holds_alternative<wire::DelReply>(reply)) return wire::DelRequest::op;
    if (std::holds_alternative<wire::MergeReply>(reply)) return wire::MergeRequest::op;
    return wire::PutRequest::op;
}

}  // namespace

void Service::answer(const Origin& origin, wire::ClientReply reply, bool after_write) {
    if (!origin.forwarder.is_none()) {
        const auto* error = std::get_if<wire::ErrorReply>(&reply);
        const std::uint16_t code = error ? error->code : 0;
        desk.send(origin.forwarder, wire::ForwardReply{origin.id, code, std::string(op_of(reply)),
                                                       wire::encode_body(reply)});
        return;
    }
    desk.outbox.clients.push_back(
        {origin.client, {origin.id, desk.routes.number(), std::move(reply)}, after_write});
}

void Service::answer(const Origin& origin, Error error) {
    if (error.node.empty()) error.node = desk.options.self.name;
    desk.counters.add("errors." + std::string(name_of(error.code)));
    answer(origin, wire::to_reply(error));
}

Result<Quorum> Service::quorum(std::uint32_t asked, std::uint16_t standard, std::uint16_t partition,
                               std::string_view name) const {
    if (asked > desk.settings.copies)
        return fail(Code::bad_request, std::string(name) + " is " + std::to_string(asked) +
                                           ", but this cluster keeps " +
                                           std::to_string(desk.settings.copies) +
                                           " copies of a key (N)");
    const std::size_t wanted = asked == 0 ? standard : asked;
    return Quorum(wanted, lists(partition, name == "W" ? Need::write : Need::read),
                  desk.routes.owners(partition));
}

std::vector<OwnerList> Service::lists(std::uint16_t partition, Need need) const {
    std::vector<OwnerList> live = desk.routes.lists(partition);
    if (live.empty()) return live;
    const bool writes = need == Need::write;
    if (desk.breaks(writes ? Mutant::writes_newest_list : Mutant::reads_newest_list))
        live = {live.back()};
    if (desk.breaks(writes ? Mutant::writes_oldest_list : Mutant::reads_oldest_list))
        live = {live.front()};
    return live;
}

}  // namespace dynamo
