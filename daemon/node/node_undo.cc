// What becomes of a step whose commit failed: nothing in it may promise what is not stored.
#include "daemon/node/node.h"
#include "daemon/node/node_parts.h"

namespace dynamo {

void Node::commit_failed(const Error& error) {
    Parts& parts = *parts_;
    Outbox& outbox = parts.desk.outbox;
    if (parts.desk.breaks(Mutant::failed_commit_answered)) return;
    parts.desk.counters.add("storage.failed_commits");
    outbox.log.push_back({Severity::error, "a commit failed and was undone: " + error.message});
    Error told{error.code, "the write could not be stored: " + error.message,
               parts.desk.options.self.name, Applied::maybe};
    const Error unread{
        Code::busy, "what had just been stored of the key was undone; try again: " + error.message,
        parts.desk.options.self.name};
    for (Outbox::ToClient& to : outbox.clients)
        if (to.after_write)
            to.reply.body = wire::to_reply(told);
        else if (std::holds_alternative<wire::GetReply>(to.reply.body) ||
                 std::holds_alternative<wire::StateReply>(to.reply.body) ||
                 std::holds_alternative<wire::PeekReply>(to.reply.body) ||
                 std::holds_alternative<wire::KeysReply>(to.reply.body) ||
                 std::holds_alternative<wire::TreeNodesReply>(to.reply.body) ||
                 std::holds_alternative<wire::RootsReply>(to.reply.body) ||
                 std::holds_alternative<wire::ScrubReply>(to.reply.body) ||
                 std::holds_alternative<wire::JobsReply>(to.reply.body) ||
                 std::holds_alternative<wire::DelReply>(to.reply.body))
            to.reply.body = wire::to_reply(unread);

    // What peers were to be told of this step is not true any more: replies become refusals, and
    // states that were to be given are not stored here, so they do not leave either. Requests have
    // left already: a write that peers store now and this node does not is one more `maybe`.
    std::erase_if(outbox.peers, [&](Outbox::ToPeer& to) {
        if (auto* write = std::get_if<wire::WriteReply>(&to.message)) {
            if (write->status == wire::PeerStatusCode::ok)
                write->status = error.code == Code::storage_full ? wire::PeerStatusCode::full
                                                                 : wire::PeerStatusCode::storage;
        } else if (auto* read = std::get_if<wire::ReadReply>(&to.message)) {
            *read = {read->id, wire::PeerStatusCode::storage, {}, 0};
        } else if (auto* forward = std::get_if<wire::ForwardReply>(&to.message)) {
            const wire::ErrorReply reply = wire::to_reply(told);
            if (forward->code == 0)
                *forward = {
                    forward->id, reply.code, {}, wire::encode_body(wire::ClientReply(reply))};
        } else {
            return std::holds_alternative<wire::ExchangeReply>(to.message) ||
                   std::holds_alternative<wire::TreeReply>(to.message) ||
                   std::holds_alternative<wire::FenceReply>(to.message) ||
                   std::holds_alternative<wire::PurgeReply>(to.message);
        }
        return false;
    });
    parts.coordinator.on_undone(told);
    // Dots minted in this step are gone from the records: nothing of this run may count on.
    if (!parts.desk.breaks(Mutant::undone_actor_goes_on)) parts.desk.run = parts.desk.random.bits();
    if (!parts.desk.breaks(Mutant::tree_keeps_undone)) parts.objects.trees().rolled_back();
    parts.report(parts.objects.count_hints());
    parts.jobs.rolled_back();
    parts.exchange.rolled_back();
    parts.transfer.rolled_back();
    parts.purge.rolled_back();
}

}  // namespace dynamo
