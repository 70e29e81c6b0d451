#include "tests/sim/describe.h"

#include "libdynamo/wire/state_codec.h"

namespace dynamo::sim {
namespace {

std::string number(std::uint64_t value) { return std::to_string(value); }

/// "{v3:2 delete:1 | clock of 4}".
std::string object(BytesView bytes) {
    if (bytes.empty()) return "nothing";
    const auto decoded = wire::decode_object(bytes);
    if (!decoded) return "a damaged object";
    std::string out = "{";
    for (const Sibling& sibling : decoded->siblings)
        out += (sibling.tombstone ? "delete" : sibling.value.substr(0, 24)) + "/" +
               number(sibling.dot.actor.birth % 10000) + ":" + number(sibling.dot.counter) + " ";
    return out + "| clock of " + number(decoded->clock.size()) + "}";
}

std::string brief(BytesView id) { return id.empty() ? "-" : NodeId::from(id).brief(); }

struct Words {
    std::string operator()(const wire::ReadRequest& m) const {
        return "read " + number(m.id % 100000) + " " + m.key;
    }
    std::string operator()(const wire::ReadReply& m) const {
        return "read-reply " + number(m.id % 100000) + " status " +
               number(static_cast<std::uint64_t>(m.status)) + " " + object(m.object);
    }
    std::string operator()(const wire::WriteRequest& m) const {
        return "write " + number(m.id % 100000) + " " + m.key + " for " + brief(m.hint_for) + " " +
               object(m.object);
    }
    std::string operator()(const wire::WriteReply& m) const {
        return "write-reply " + number(m.id % 100000) + " status " +
               number(static_cast<std::uint64_t>(m.status));
    }
    std::string operator()(const wire::ForwardRequest& m) const {
        return "forward " + number(m.id % 100000) + " " + m.op;
    }
    std::string operator()(const wire::ForwardReply& m) const {
        return "forward-reply " + number(m.id % 100000) + " code " + number(m.code);
    }
    std::string operator()(const wire::Ping&) const { return "ping"; }
    std::string operator()(const wire::Pong&) const { return "pong"; }
    std::string operator()(const wire::GossipDigest&) const { return "gossip-digest"; }
    std::string operator()(const wire::GossipState&) const { return "gossip-state"; }
    std::string operator()(const wire::TreeOffer& m) const {
        return "tree-offer partition " + number(m.partition) + " level " + number(m.level) + ", " +
               number(m.nodes.size()) + " nodes";
    }
    std::string operator()(const wire::TreeReply& m) const {
        return "tree-reply status " + number(static_cast<std::uint64_t>(m.status)) + ", " +
               number(m.nodes.size()) + " differ";
    }
    std::string operator()(const wire::FenceAsk&) const { return "fence-ask"; }
    std::string operator()(const wire::FenceReply& m) const {
        return "fence-reply " + number(m.fence) + (m.settled ? "" : ", not settled");
    }
    std::string operator()(const wire::PurgeOffer& m) const {
        return "purge-offer partition " + number(m.partition) + " of " + number(m.items.size()) +
               " at fence " + number(m.fence);
    }
    std::string operator()(const wire::PurgeReply& m) const {
        return "purge-reply status " + number(static_cast<std::uint64_t>(m.status)) + ", " +
               number(m.agreed.size()) + " agreed";
    }
    std::string operator()(const wire::PurgeOrder& m) const {
        return "purge-order partition " + number(m.partition) + " of " + number(m.items.size()) +
               " at fence " + number(m.fence);
    }
    std::string operator()(const wire::ExchangeOffer& m) const {
        return "exchange-offer partition " + number(m.partition) + " of " + number(m.items.size());
    }
    std::string operator()(const wire::ExchangeReply& m) const {
        return "exchange-reply status " + number(static_cast<std::uint64_t>(m.status)) + " wants " +
               number(m.want.size());
    }

    std::string operator()(const wire::GetRequest& m) const {
        return "get " + m.key + " r=" + number(m.r);
    }
    std::string operator()(const wire::PutRequest& m) const {
        return "put " + m.key + " \"" + m.value.substr(0, 24) + "\" mode " +
               number(static_cast<std::uint64_t>(m.mode)) + " w=" + number(m.w) +
               (m.overwrite ? " overwrite" : "");
    }
    std::string operator()(const wire::DelRequest& m) const {
        return "delete " + m.key + " mode " + number(static_cast<std::uint64_t>(m.mode)) +
               " w=" + number(m.w);
    }
    std::string operator()(const wire::StateRequest& m) const {
        return "state " + m.key + " r=" + number(m.r);
    }
    std::string operator()(const wire::MergeRequest& m) const {
        return "merge " + m.key + " w=" + number(m.w);
    }
    std::string operator()(const wire::ErrorReply& m) const {
        return "error " + m.name + " applied " + m.applied + ": " + m.message;
    }
    std::string operator()(const wire::GetReply& m) const {
        std::string out = "got {";
        for (const auto& version : m.versions)
            out += (version.tombstone ? "delete" : version.value.substr(0, 24)) + " ";
        return out + "}";
    }
    std::string operator()(const wire::PutReply&) const { return "stored"; }
    std::string operator()(const wire::DelReply& m) const {
        return m.existed ? "deleted" : "deleted nothing";
    }
    std::string operator()(const wire::StateReply&) const { return "state"; }
    std::string operator()(const wire::MergeReply& m) const {
        return m.changed ? "merged" : "merged nothing";
    }
    template <typename Other>
    std::string operator()(const Other&) const {
        return "an operator's message";
    }
};

}  // namespace

std::string describe(const wire::Request& request) {
    return "#" + number(request.id) + " " + std::visit(Words{}, request.body);
}
std::string describe(const wire::Reply& reply) {
    return "#" + number(reply.id) + " " + std::visit(Words{}, reply.body);
}
std::string describe(const wire::PeerMessage& message) { return std::visit(Words{}, message); }

}  // namespace dynamo::sim
