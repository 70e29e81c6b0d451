// The parts of a node, and the door between them and the loop (node.h). For node*.cc only.
//
// Threads: one; the node's
#pragma once

#include <algorithm>
#include <set>
#include <utility>

#include "daemon/node/coordination/coordinator.h"
#include "daemon/node/coordination/replica.h"
#include "daemon/node/local/inspect.h"
#include "daemon/node/membership/members.h"
#include "daemon/node/membership/vote.h"
#include "daemon/node/node.h"
#include "daemon/node/repair/exchange.h"
#include "daemon/node/repair/gc.h"
#include "daemon/node/repair/handback.h"
#include "daemon/node/repair/jobs.h"
#include "daemon/node/repair/mend.h"
#include "daemon/node/repair/purge.h"
#include "daemon/node/repair/transfer.h"
#include "daemon/node/repair/upkeep.h"

namespace dynamo {

/// The parts, in the order in which they need each other, and the door between them and the loop.
struct Node::Parts {
    Parts(NodeOptions options, std::optional<RingState> ring, Storage& storage, Random random,
          Now now)
        : desk(std::move(options), storage, random, now),
          objects(desk),
          liveness(desk),
          started(now.instant),
          members((draw_identity(), desk), std::move(ring)),
          handback(desk, objects, liveness),
          jobs(desk, liveness),
          transfer(desk, objects, liveness),
          exchange(desk, objects, liveness, jobs, transfer),
          mend(desk, objects, liveness),
          purge(desk, objects),
          service{desk, objects, liveness},
          coordinator(service),
          replica(service),
          vote(desk, members) {
        report(purge.start());
        report(objects.count_hints());
        report(jobs.start());
        // A ring that is to be persisted was founded just now, so nothing can have been lost.
        report(exchange.on_ring(desk.outbox.ring ? RingCame::just_now : RingCame::at_start));
        transfer.on_ring();
        known_ring = desk.routes.number();
        known_revision = members.revision();
    }

    /// The run and the first request number are drawn before anything is minted or sent.
    void draw_identity() {
        desk.run = desk.random.bits();
        desk.last_id = desk.random.bits() >> 1;
    }

    void report(const Result<void>& result) {
        if (!result) desk.log(Severity::error, "storage: " + result.error().message);
    }

    /// After a step that may have brought another ring.
    void follow_ring() {
        follow_revision();
        answer_operators();
    }
    void follow_revision() {
        if (members.revision() == known_revision) return;
        known_revision = members.revision();
        if (desk.routes.number() == known_ring) {
            exchange.on_lists();
            purge.on_peers();
        } else {
            known_ring = desk.routes.number();
            report(exchange.on_ring(RingCame::just_now));
            jobs.on_ring();
            mend.on_ring();
            purge.on_ring();
        }
        transfer.on_ring();
        coordinator.on_ring();
        vote.on_ring();
    }

    /// What became complete here is noted in the ring, and so is that nothing is left to hand over.
    void follow_transfer() {
        if (const auto complete = transfer.take_complete(); !complete.empty())
            members.note_complete(complete);
        const bool leaves = desk.routes.find(desk.self()) && !desk.routes.is_member(desk.self());
        const bool holds_nothing =
            leaves && desk.routes.served_by(desk.self()).empty() && transfer.has_left() &&
            objects.hints_counted() && coordinator.in_progress() == 0 &&
            (objects.hints_held() == 0 || desk.breaks(Mutant::released_with_hints));
        if (transfer.is_emptied(holds_nothing)) members.note_released();
    }

    void answer_operators() {
        for (Vote::Outcome& outcome : vote.take_outcomes())
            answer(Origin{outcome.who.client, outcome.who.request, {}}, std::move(outcome.reply));
    }

    /// After a step in which this node may have found that what it holds is out of date.
    void follow_purge();

    void answer(const Origin& origin, const wire::HelloRequest& request);
    void answer(const Origin& origin, const wire::StatsRequest& request);
    void answer(const Origin& origin, const wire::StatusRequest& request);
    void answer(const Origin& origin, const wire::RingRequest& request);
    void answer(const Origin& origin, const wire::FlushRequest& request);
    void steer(const Origin& origin, const wire::JobRequest& request);
    template <typename Reply>
    void answer(const Origin& origin, Result<Reply> result) {
        if (result)
            service.answer(origin, std::move(*result));
        else
            service.answer(origin, result.error());
    }
    /// Whether a request may be taken at all; otherwise it has been answered.
    [[nodiscard]] bool admits(const Origin& origin, const wire::Request& request);

    [[nodiscard]] bool accepts(const wire::PeerEnvelope& envelope,
                               const wire::PeerMessage& message);
    void dispatch(const wire::PeerEnvelope& envelope, wire::PeerMessage& message);

    Desk desk;
    Objects objects;
    Liveness liveness;
    Instant started;
    Members members;
    Handback handback;
    Jobs jobs;
    Transfer transfer;
    Exchange exchange;
    Mend mend;
    Purge purge;
    Service service;
    Coordinator coordinator;
    Replica replica;
    Vote vote;
    std::uint64_t known_ring = 0;
    std::uint64_t known_revision = 0;
    std::set<Bytes> foreign_clusters;  ///< whose messages were refused, to say so once each
};

}  // namespace dynamo
