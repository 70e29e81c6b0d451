#include "tests/libdynamo/version/world.h"

#include <algorithm>

namespace dynamo::test {

std::optional<std::string> World::take(const Step& step) {
    switch (step.kind) {
        case Step::Kind::read: {
            State answer = node(step.b);
            rules_.merge(answer.object, node(step.c).object);
            answer.ghost.insert(node(step.c).ghost.begin(), node(step.c).ghost.end());
            if (auto wrong = wrong_with(answer)) return wrong;
            seen_by(step.a) = {answer.object.clock, answer.ghost};
            break;
        }
        case Step::Kind::put_with_context:
        case Step::Kind::remove:
            seen_by(step.a) = put(step.b, seen_by(step.a), step.kind == Step::Kind::remove);
            break;
        case Step::Kind::put_observing: {
            State gathered = node(step.a);
            rules_.merge(gathered.object, node(step.b).object);
            gathered.ghost.insert(node(step.b).ghost.begin(), node(step.b).ghost.end());
            seen_by(step.c) = put(step.a, {gathered.object.clock, gathered.ghost}, false);
            break;
        }
        case Step::Kind::put_blind:
            seen_by(step.b) = put(step.a, {}, false);
            break;
        case Step::Kind::merge:
            receive(at(step.a), State(node(step.b)));
            break;
        case Step::Kind::keep_message:
            messages_.push_back(node(step.a));
            break;
        case Step::Kind::deliver:
            if (!messages_.empty()) receive(at(step.b), messages_[step.a % messages_.size()]);
            break;
        case Step::Kind::restart:
            if (rules_.new_run_on_start) at(step.a).run = next_run_++;
            break;
        case Step::Kind::copy_disk:
            at(step.a).copy = at(step.a).disk;
            break;
        case Step::Kind::restore_disk:
            at(step.a).disk = at(step.a).copy;
            if (rules_.new_run_on_start) at(step.a).run = next_run_++;
            break;
    }
    if (minted_twice_) return "one dot names two writes";
    for (unsigned number = 0; number < nodes; ++number)
        if (auto wrong = wrong_with(node(number))) return wrong;
    return {};
}

std::optional<std::string> World::take_all(const std::vector<Step>& steps) {
    for (std::size_t i = 0; i < steps.size(); ++i)
        if (auto wrong = take(steps[i])) return "after step " + std::to_string(i) + ": " + *wrong;
    return wrong_with(all());
}

World::State World::all() const {
    State all;
    for (unsigned number = 0; number < nodes; ++number) {
        rules_.merge(all.object, node(number).object);
        all.ghost.insert(node(number).ghost.begin(), node(number).ghost.end());
    }
    return all;
}

/// A node goes on with its actor only in the run that it began it in; else it is born again.
Dot World::mint(unsigned number, const Clock& context) {
    Node& node = at(number);
    notice(node, context);
    if (!node.disk.own || node.disk.own_run != node.run) {
        Actor actor;
        actor.node.octets[0] = static_cast<std::uint8_t>(number % nodes + 1);
        actor.birth = next_birth_++;
        node.disk.own = actor;
        node.disk.own_run = node.run;
    }
    const Dot dot{*node.disk.own, node.disk.record.object.clock.top(*node.disk.own) + 1};
    if (!minted_.insert(dot).second) minted_twice_ = true;
    return dot;
}

/// Somebody shows more of this node's actor than it holds itself: its past is not whole.
void World::notice(Node& node, const Clock& shown) {
    const Disk& disk = node.disk;
    if (disk.own && disk.own_run == node.run &&
        shown.top(*disk.own) > disk.record.object.clock.top(*disk.own))
        node.run = next_run_++;
}

World::Seen World::put(unsigned number, const Seen& context, bool tombstone) {
    const Dot dot = mint(number, context.clock);
    if (minted_twice_) return context;
    const WriteId id = writes_.size();
    Write write{dot, context.ghost};
    for (const WriteId earlier : context.ghost)
        write.past.insert(writes_[earlier].past.begin(), writes_[earlier].past.end());

    State& record = at(number).disk.record;
    rules_.put(record.object, context.clock,
               {dot, tombstone, 0, tombstone ? "" : "value " + std::to_string(id)});
    record.ghost.insert(write.past.begin(), write.past.end());
    record.ghost.insert(id);
    Seen reply{context.clock, write.past};
    if (rules_.context_is_full_clock) reply.clock = record.object.clock;
    reply.clock.add(dot);
    reply.ghost.insert(id);
    writes_.push_back(std::move(write));
    return reply;
}

void World::receive(Node& node, const State& state) {
    notice(node, state.object.clock);
    rules_.merge(node.disk.record.object, state.object);
    node.disk.record.ghost.insert(state.ghost.begin(), state.ghost.end());
}

std::optional<std::string> World::wrong_with(const State& state) const {
    Ghost superseded;
    for (const WriteId id : state.ghost)
        superseded.insert(writes_[id].past.begin(), writes_[id].past.end());
    std::set<Dot> wanted;
    for (const WriteId id : state.ghost)
        if (!superseded.contains(id)) wanted.insert(writes_[id].dot);
    std::set<Dot> held;
    for (const Sibling& sibling : state.object.siblings) held.insert(sibling.dot);
    if (held.size() != state.object.siblings.size()) return "a sibling is held twice";
    if (!std::ranges::is_sorted(state.object.siblings, {}, &Sibling::dot))
        return "siblings are not sorted";
    if (!std::ranges::includes(held, wanted)) return "a write is lost";
    if (held != wanted) return "a superseded write is back";
    for (WriteId id = 0; id < writes_.size(); ++id)
        if (state.object.clock.covers(writes_[id].dot) != state.ghost.contains(id))
            return state.ghost.contains(id) ? "a write is forgotten" : "an unseen write is claimed";
    return {};
}

}  // namespace dynamo::test
