#include "cli/ring/staging.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/common/output.h"

namespace dynamo::cli {

void RingStaging::build(App& app) {
    App& join = app.verb("join", "stage the joining of waiting daemons");
    join.operands(
        {.name = "HOST:PORT...", .help = "their addresses for clients", .least = 1, .most = 1000},
        operands_);
    declare_attributes(join, "its own when not given");
    declare_note(join);
    join.action([this] { return this->join(); });

    App& leave = app.verb("leave", "stage that members hand over what they hold, and go");
    declare_nodes(leave);
    declare_note(leave);
    leave.action([this] { return this->leave(); });

    App& remove = app.verb("remove", "stage that members which do not come back are done without");
    declare_nodes(remove);
    declare_lost(remove);
    declare_note(remove);
    remove.action([this] { return this->remove(); });

    App& replace = app.verb("replace", "stage that a waiting daemon takes the place of a member");
    replace.operands({.name = "OLD HOST:PORT",
                      .help = "the member's name, and the daemon's address for clients",
                      .least = 2,
                      .most = 2,
                      .complete = CommonOptions::live_nodes},
                     operands_);
    declare_lost(replace);
    declare_attributes(replace, "its own when not given, zone and weight those of OLD");
    declare_note(replace);
    replace.action([this] { return this->replace(); });

    App& set = app.verb("set", "stage another weight, zone, name or address of a member");
    set.operands({.name = "NODE",
                  .help = "its name",
                  .least = 1,
                  .most = 1,
                  .complete = CommonOptions::live_nodes},
                 operands_);
    declare_attributes(set, "as it is when not given");
    set.option({.letter = "",
                .name = "--client-address",
                .help = "where clients reach it; as it is when not given",
                .value = "HOST:PORT"},
               client_address_);
    set.option({.letter = "",
                .name = "--peer-address",
                .help = "where peers reach it; as it is when not given",
                .value = "HOST:PORT"},
               peer_address_);
    declare_note(set);
    set.action([this] { return this->set(); });

    App& rebalance =
        app.verb("rebalance", "stage that all partitions are placed anew; 1 when that moves none");
    declare_note(rebalance);
    rebalance.action([this] { return this->rebalance(); });

    app.verb("discard", "discard what is staged").action([this] { return discard(); });
}

void RingStaging::declare_nodes(App& verb) {
    verb.operands({.name = "NODE...",
                   .help = "their names",
                   .least = 1,
                   .most = 1000,
                   .complete = CommonOptions::live_nodes},
                  operands_);
}

void RingStaging::declare_note(App& verb) {
    verb.option({.letter = "", .name = "--note", .help = "kept with the change", .value = "TEXT"},
                note_);
}

void RingStaging::declare_attributes(App& verb, const std::string& otherwise) {
    verb.option({.letter = "",
                 .name = "--name",
                 .help = "its name in the ring, for one node; " + otherwise,
                 .value = "NAME"},
                name_);
    verb.option({.letter = "",
                 .name = "--zone",
                 .help = "where it stands: a rack, a building; " + otherwise,
                 .value = "ZONE"},
                zone_);
    verb.option({.letter = "",
                 .name = "--weight",
                 .help = "its share of the ring against that of others; " + otherwise,
                 .value = "N"},
                weight_);
}

void RingStaging::declare_lost(App& verb) {
    verb.flag({.letter = "",
               .name = "--lost",
               .help = "what was stored there is gone for good: nobody waits for it, and it never "
                       "comes back"},
              lost_);
}

Result<NodeInfo> RingStaging::find(const RingView& ring, const std::string& name,
                                   bool former) const {
    const auto member = std::ranges::find(ring.nodes, name, &NodeInfo::name);
    if (member != ring.nodes.end()) {
        return *member;
    }
    const auto left = std::ranges::find(ring.leaving, name, &NodeInfo::name);
    if (former && left != ring.leaving.end()) {
        return *left;
    }
    std::vector<std::string> names;
    std::ranges::transform(ring.nodes, std::back_inserter(names), &NodeInfo::name);
    return fail(Code::bad_request,
                fmt::format("no member is named {}; there are {}", name, fmt::join(names, ", ")));
}

int RingStaging::join() {
    const Reporter reporter = common_.reporter();
    if (operands_.size() > 1 && !name_.empty()) {
        return reporter.usage(Error{Code::bad_request, "--name goes with one daemon"});
    }
    auto admin = common_.open_admin();
    if (!admin) {
        return reporter.error(admin.error());
    }
    unsigned staged = 0;
    for (const Operand& address : operands_) {
        const auto joined =
            admin->stage_join(address.text, {name_, zone_.value_or(""), weight_, note_});
        if (!joined) {
            return reporter.error(joined.error(), address.text);
        }
        staged = *joined;
    }
    return say_staged(staged);
}

int RingStaging::leave() {
    const Reporter reporter = common_.reporter();
    auto with = common_.open_with_ring();
    if (!with) {
        return reporter.error(with.error());
    }
    std::vector<NodeInfo> nodes;
    for (const Operand& name : operands_) {
        const auto node = find(with->ring, name.text);
        if (!node) {
            return reporter.usage(node.error());
        }
        if (const auto there = with->admin.hello_at(node->client_address); !there) {
            return reporter.error(
                Error{Code::refused, name.text + " does not answer, so it cannot hand over",
                      node->client_address},
                {}, fmt::format("start it first, or do without it: dyn-ring remove {}", name.text));
        }
        nodes.push_back(*node);
    }
    unsigned staged = 0;
    for (const NodeInfo& node : nodes) {
        const auto left = with->admin.stage_leave(node, Admin::Leaving::hands_over, note_);
        if (!left) {
            return reporter.error(left.error(), node.name);
        }
        staged = *left;
    }
    return say_staged(staged);
}

int RingStaging::remove() {
    const Reporter reporter = common_.reporter();
    auto with = common_.open_with_ring();
    if (!with) {
        return reporter.error(with.error());
    }
    std::vector<NodeInfo> nodes;
    for (const Operand& name : operands_) {
        const auto node = find(with->ring, name.text, lost_);
        if (!node) {
            return reporter.usage(node.error());
        }
        const auto there = with->admin.hello_at(node->client_address);
        if (there && there->node.id == node->id) {
            return reporter.error(
                Error{Code::refused, name.text + " answers, and may hold what nobody else does",
                      node->client_address},
                {},
                fmt::format("have it hand over: dyn-ring leave {}; or stop it first", name.text));
        }
        nodes.push_back(*node);
    }
    unsigned staged = 0;
    for (const NodeInfo& node : nodes) {
        const auto left = with->admin.stage_leave(
            node, lost_ ? Admin::Leaving::lost : Admin::Leaving::hands_over, note_);
        if (!left) {
            return reporter.error(left.error(), node.name);
        }
        staged = *left;
    }
    return say_staged(staged);
}

int RingStaging::replace() {
    const Reporter reporter = common_.reporter();
    auto with = common_.open_with_ring();
    if (!with) {
        return reporter.error(with.error());
    }
    const auto old = find(with->ring, operands_.front().text);
    if (!old) {
        return reporter.usage(old.error());
    }
    const auto there = with->admin.hello_at(old->client_address);
    if (lost_ && there && there->node.id == old->id) {
        return reporter.error(
            Error{Code::refused, old->name + " answers, so it is not lost", old->client_address},
            {}, "leave --lost out, or stop it first");
    }
    // The one that comes first: what is wrong with it is found before anything is staged.
    const auto joined = with->admin.stage_join(
        operands_.back().text,
        {name_, zone_.value_or(old->zone), weight_ ? weight_ : old->weight, note_});
    if (!joined) {
        return reporter.error(joined.error(), operands_.back().text);
    }
    const auto left = with->admin.stage_leave(
        *old, lost_ ? Admin::Leaving::lost : Admin::Leaving::hands_over, note_);
    if (!left) {
        return reporter.error(left.error(), old->name);
    }
    return say_staged(*left);
}

int RingStaging::set() {
    const Reporter reporter = common_.reporter();
    auto with = common_.open_with_ring();
    if (!with) {
        return reporter.error(with.error());
    }
    auto node = find(with->ring, operands_.front().text);
    if (!node) {
        return reporter.usage(node.error());
    }
    const NodeInfo before = *node;
    node->name = name_.empty() ? node->name : name_;
    node->zone = zone_.value_or(node->zone);
    node->weight = weight_.value_or(node->weight);
    node->client_address = client_address_.empty() ? node->client_address : client_address_;
    node->peer_address = peer_address_.empty() ? node->peer_address : peer_address_;
    if (*node == before) {
        return reporter.usage(
            Error{Code::bad_request, "that is what the ring says of " + before.name + " already"},
            "say what is to change: --weight, --zone, --name, --client-address, --peer-address");
    }
    const auto staged = with->admin.stage_set(*node, note_);
    return staged ? say_staged(*staged) : reporter.error(staged.error(), before.name);
}

int RingStaging::rebalance() {
    const Reporter reporter = common_.reporter();
    auto admin = common_.open_admin();
    if (!admin) {
        return reporter.error(admin.error());
    }
    const auto staged = admin->stage_rebalance(note_);
    if (!staged) {
        return reporter.error(staged.error());
    }
    return *staged > 0 ? say_staged(*staged)
                       : reporter.no("the ring is in balance: nothing would move");
}

int RingStaging::discard() {
    auto admin = common_.open_admin();
    if (!admin) {
        return common_.reporter().error(admin.error());
    }
    if (const auto staged = admin->stage_discard(false, note_); !staged) {
        return common_.reporter().error(staged.error());
    }
    common_.reporter().remark("what was staged is discarded");
    return exits::done;
}

int RingStaging::say_staged(unsigned staged) const {
    const Reporter reporter = common_.reporter();
    if (common_.json()) {
        const nlohmann::ordered_json object = {{"schema", reporter.schema()}, {"staged", staged}};
        return write_out(dumped(object) + "\n") ? exits::done : exits::server;
    }
    reporter.remark(fmt::format("{} {} staged; next: dyn-ring plan", staged,
                                staged == 1 ? "change is" : "changes are"));
    return exits::done;
}

}  // namespace dynamo::cli
