// dyn-ring: shows the ring of a cluster and changes it (paper sections 4.2, 4.8).
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cli/common/files.h"
#include "cli/common/options.h"
#include "cli/common/spec.h"
#include "cli/ring/look.h"
#include "cli/ring/print.h"
#include "cli/ring/survey.h"

namespace dynamo::cli {
namespace {

class RingTool {
  public:
    Spec spec();

  private:
    void build(App& app);
    void build_changes(App& app);
    int status();
    int check();
    int where();
    int join();
    int leave();
    int discard();
    int cancel();
    int plan();
    int commit();
    int wait_for(Admin& admin, std::uint64_t number);
    [[nodiscard]] int say_staged(unsigned staged) const;
    [[nodiscard]] int print(const std::string& text) const;
    [[nodiscard]] int show_survey(const Survey& survey) const;
    [[nodiscard]] Result<Admin> open_prompt_admin() const;

    CommonOptions common_{"dyn-ring"};
    RingLook look_{common_};
    std::vector<Operand> operands_;
    Admin::JoinOptions join_;
    std::optional<std::string> output_;
    std::optional<std::string> plan_id_;
    bool wait_ = false;
    bool lost_ = false;
    std::string note_;
};

/// About what the moves of a plan carry: as much as copies have on average. 0 when nobody tells.
std::uint64_t bytes_moved(Admin& admin, const Plan& plan) {
    const auto seen = survey(admin);
    if (!seen || plan.replicas == 0) {
        return 0;
    }
    std::uint64_t stored = 0;
    for (const MemberReport& member : seen->members) {
        stored += member.status ? member.status->stored_bytes : 0;
    }
    return stored / plan.replicas * plan.moves;
}

/// None when nothing is staged.
Result<std::optional<Plan>> plan_of_staged(Admin& admin) {
    const auto ring = admin.ring();
    if (!ring) {
        return std::unexpected(ring.error());
    }
    if (ring->staged.empty()) {
        return std::nullopt;
    }
    return admin.plan();
}

Spec RingTool::spec() {
    return {
        .name = "dyn-ring",
        .brief = "show the ring of a cluster and change it",
        .about =
            "Changes are staged, planned, then committed: nothing happens before the commit, "
            "and a commit is refused when the ring is not the one that was planned on. "
            "Failure never changes who owns what; only these commands do.",
        .build = [this](App& app) { build(app); },
        .examples = {{"dyn-ring status", "Look at the whole cluster on one screen."},
                     {"dyn-ring join 127.0.0.1:7110 127.0.0.1:7120 && dyn-ring plan",
                      "Stage two waiting daemons and see what would happen."},
                     {"dyn-ring commit --wait", "Make what is staged the new ring."},
                     {"dyn-ring where cart:7", "See which nodes hold a key."},
                     {"dyn-ring check || dyn-ring status", "Ask in a script whether all is well."},
                     {"dyn-ring show", "See which node owns which partitions."},
                     {"dyn-ring show --svg ring.svg", "Draw the ring for a web page."},
                     {"dyn-ring show --partition 57", "See who holds one partition, in order."},
                     {"dyn-ring rtt --count 20", "Find the node that is far away, or gone."},
                     {"dyn-ring history", "See who joined when."}},
        .exits = with_failures({{exits::done, "done; for check: healthy"},
                                {exits::no,
                                 "check: degraded; rtt: a node did not answer; plan and commit: "
                                 "nothing is staged"},
                                {exits::conflict,
                                 "the ring or what is staged is not what the plan "
                                 "was made for"}}),
    };
}

void RingTool::build(App& app) {
    app.verb("status", "print the nodes, their shares, what is pending, and one line of verdict")
        .action([this] { return status(); });
    app.verb("check", "exit 0 when all is well, 1 with the reasons when not").action([this] {
        return check();
    });
    App& where = app.verb("where", "print the position, the partition and the nodes of keys");
    where.operands({.name = "KEY...", .help = "the keys", .least = 1, .most = 1'000'000},
                   operands_);
    where.action([this] { return this->where(); });
    look_.build(app);
    build_changes(app);
    common_.declare(app, {.formats = {"human", "json", "tsv"}, .keys = true});
}

void RingTool::build_changes(App& app) {
    App& join = app.verb("join", "stage the joining of waiting daemons");
    join.operands(
        {.name = "HOST:PORT...", .help = "their addresses for clients", .least = 1, .most = 1000},
        operands_);
    join.option({.letter = "",
                 .name = "--name",
                 .help = "its name in the ring, for one daemon; its own when not given",
                 .value = "NAME"},
                join_.name);
    join.option({.letter = "",
                 .name = "--zone",
                 .help = "where it stands: a rack, a building; its own when not given",
                 .value = "ZONE"},
                join_.zone);
    join.option({.letter = "",
                 .name = "--weight",
                 .help = "its share of the ring against that of others; its own when not given",
                 .value = "N"},
                join_.weight);
    join.option({.letter = "", .name = "--note", .help = "kept with the change", .value = "TEXT"},
                join_.note);
    join.action([this] { return this->join(); });

    App& leave = app.verb("leave", "stage the leaving of members");
    leave.operands({.name = "NODE...", .help = "their names", .least = 1, .most = 1000}, operands_);
    leave.flag({.letter = "",
                .name = "--lost",
                .help = "what they stored is gone for good: nobody waits for them, and they never "
                        "come back"},
               lost_);
    leave.option({.letter = "", .name = "--note", .help = "kept with the change", .value = "TEXT"},
                 note_);
    leave.action([this] { return this->leave(); });
    app.verb("discard", "discard what is staged").action([this] { return discard(); });
    app.verb("cancel", "take back a change that is under way, and what is staged").action([this] {
        return cancel();
    });

    App& plan = app.verb("plan", "print what a commit of everything staged would do");
    plan.option({.letter = "-o",
                 .name = "--output",
                 .help = "write the plan as JSON here as well",
                 .value = "FILE"},
                output_);
    plan.action([this] { return this->plan(); });

    App& commit = app.verb("commit", "make what is staged the new ring");
    commit.option({.letter = "",
                   .name = "--plan",
                   .help = "refuse (3) unless it is exactly this plan; without it a plan is made "
                           "and committed as one step",
                   .value = "ID"},
                  plan_id_);
    commit.flag({.letter = "",
                 .name = "--wait",
                 .help = "wait until every node knows the new ring and all that moves has arrived"},
                wait_);
    commit.action([this] { return this->commit(); });
}

int RingTool::print(const std::string& text) const {
    return write_out(text) ? exits::done : exits::server;
}

Result<Admin> RingTool::open_prompt_admin() const {
    // A node that hangs must not keep the screen of all others waiting for long.
    ClientOptions options = common_.client_options();
    options.timeout = std::min(options.timeout, std::chrono::milliseconds(1000));
    return Admin::open(options);
}

int RingTool::show_survey(const Survey& survey) const {
    return print(common_.json()                    ? dumped(status_json(survey)) + "\n"
                 : common_.format() == Format::tsv ? status_tsv(survey)
                                                   : status_text(survey));
}

int RingTool::status() {
    auto admin = open_prompt_admin();
    if (!admin) {
        return common_.reporter().error(admin.error());
    }
    const auto seen = survey(*admin);
    return seen ? show_survey(*seen) : common_.reporter().error(seen.error());
}

int RingTool::check() {
    auto admin = open_prompt_admin();
    if (!admin) {
        return common_.reporter().error(admin.error());
    }
    const auto seen = survey(*admin);
    if (!seen) {
        return common_.reporter().error(seen.error());
    }
    std::string out;
    if (common_.json()) {
        const nlohmann::ordered_json object = {{"schema", common_.reporter().schema()},
                                               {"healthy", seen->healthy()},
                                               {"reasons", seen->reasons}};
        out = dumped(object) + "\n";
    } else if (seen->healthy()) {
        out = "healthy\n";
    } else {
        out = fmt::format("{}\n", fmt::join(seen->reasons, "\n"));
    }
    const int printed = print(out);
    return printed == exits::done && !seen->healthy() ? exits::no : printed;
}

int RingTool::where() {
    const Reporter reporter = common_.reporter();
    const auto with = common_.open_with_ring();
    if (!with) {
        return reporter.error(with.error());
    }
    const RingView& ring = with->ring;
    const auto names = [](const std::vector<NodeInfo>& nodes) {
        std::vector<std::string> list;
        std::ranges::transform(nodes, std::back_inserter(list), &NodeInfo::name);
        return list.empty() ? "-" : fmt::format("{}", fmt::join(list, ","));
    };
    Table table({{"KEY"}, {"POSITION"}, {"PARTITION", true}, {"NODES"}, {"FALLBACKS"}});
    std::string json;
    for (const Operand& operand : operands_) {
        const auto key = common_.key_from_text(operand.text);
        if (!key) {
            return reporter.error(key.error());
        }
        const Place place = place_of(ring, *key);
        json += dumped(place_json(place)) + "\n";
        table.add({printable(operand.text), place.position, std::to_string(place.partition),
                   names(place.nodes), names(place.fallbacks)});
    }
    return print(common_.json()                    ? json
                 : common_.format() == Format::tsv ? table.tsv()
                                                   : table.text());
}

int RingTool::join() {
    const Reporter reporter = common_.reporter();
    if (operands_.size() > 1 && !join_.name.empty()) {
        return reporter.usage(Error{Code::bad_request, "--name goes with one daemon"});
    }
    auto admin = common_.open_admin();
    if (!admin) {
        return reporter.error(admin.error());
    }
    unsigned staged = 0;
    for (const Operand& address : operands_) {
        const auto joined = admin->stage_join(address.text, join_);
        if (!joined) {
            return reporter.error(joined.error(), address.text);
        }
        staged = *joined;
    }
    return say_staged(staged);
}

int RingTool::leave() {
    const Reporter reporter = common_.reporter();
    auto admin = common_.open_admin();
    if (!admin) {
        return reporter.error(admin.error());
    }
    const auto ring = admin->ring();
    if (!ring) {
        return reporter.error(ring.error());
    }
    unsigned staged = 0;
    for (const Operand& name : operands_) {
        const auto node = std::ranges::find(ring->nodes, name.text, &NodeInfo::name);
        if (node == ring->nodes.end()) {
            return reporter.usage(Error{Code::bad_request, "no member is named " + name.text});
        }
        const auto left = admin->stage_leave(
            *node, lost_ ? Admin::Leaving::lost : Admin::Leaving::hands_over, note_);
        if (!left) {
            return reporter.error(left.error(), name.text);
        }
        staged = *left;
    }
    return say_staged(staged);
}

int RingTool::discard() {
    auto admin = common_.open_admin();
    if (!admin) {
        return common_.reporter().error(admin.error());
    }
    const auto staged = admin->stage_discard(false, {});
    if (!staged) {
        return common_.reporter().error(staged.error());
    }
    // What discards is an operation itself; a plan of it alone would change nothing.
    common_.reporter().remark("what was staged is discarded");
    return exits::done;
}

int RingTool::cancel() {
    auto admin = common_.open_admin();
    if (!admin) {
        return common_.reporter().error(admin.error());
    }
    if (const auto staged = admin->stage_discard(true, {}); !staged) {
        return common_.reporter().error(staged.error());
    }
    return commit();
}

int RingTool::say_staged(unsigned staged) const {
    const Reporter reporter = common_.reporter();
    if (common_.json()) {
        const nlohmann::ordered_json object = {{"schema", reporter.schema()}, {"staged", staged}};
        return print(dumped(object) + "\n");
    }
    reporter.remark(fmt::format("{} changes are staged; next: dyn-ring plan", staged));
    return exits::done;
}

int RingTool::plan() {
    const Reporter reporter = common_.reporter();
    auto admin = common_.open_admin();
    if (!admin) {
        return reporter.error(admin.error());
    }
    const auto plan = plan_of_staged(*admin);
    if (!plan) {
        return reporter.error(plan.error());
    }
    if (!*plan) {
        return reporter.no("nothing is staged; see dyn-ring join");
    }
    const std::uint64_t bytes = bytes_moved(*admin, **plan);
    const std::string json = dumped(plan_json(**plan, bytes)) + "\n";
    if (output_) {
        if (const auto written = write_file(*output_, json); !written) {
            return reporter.error(written.error());
        }
    }
    return print(common_.json()
                     ? json
                     : plan_text(**plan, bytes) +
                           fmt::format("next: dyn-ring commit --plan {} --wait\n", (*plan)->id));
}

int RingTool::commit() {
    const Reporter reporter = common_.reporter();
    auto admin = common_.open_admin();
    if (!admin) {
        return reporter.error(admin.error());
    }
    std::string id = plan_id_.value_or("");
    if (id.empty()) {
        const auto plan = plan_of_staged(*admin);
        if (!plan) {
            return reporter.error(plan.error());
        }
        if (!*plan) {
            return reporter.no("nothing is staged; see dyn-ring join");
        }
        if (!reporter.json()) {
            write_error(plan_text(**plan, bytes_moved(*admin, **plan)));
        }
        id = (*plan)->id;
    }
    const auto number = admin->commit(id);
    if (!number) {
        return reporter.error(number.error(), id);
    }
    if (wait_) {
        if (const int waited = wait_for(*admin, *number); waited != exits::done) {
            return waited;
        }
    }
    const nlohmann::ordered_json object = {
        {"schema", reporter.schema()}, {"plan", id}, {"ring", *number}};
    return print(common_.json() ? dumped(object) + "\n" : fmt::format("RING v{}\n", *number));
}

int RingTool::wait_for(Admin& admin, std::uint64_t number) {
    // The timeout is that of a request; news of a ring takes some rounds of gossip on top.
    const auto patience = common_.timeout() + std::chrono::seconds(30);
    auto end = std::chrono::steady_clock::now() + patience;
    std::size_t least_left = SIZE_MAX;
    for (;;) {
        const auto seen = survey(admin);
        const auto knows = [number](const MemberReport& member) {
            return member.status && member.status->ring >= number;
        };
        if (seen && seen->ring.number >= number && std::ranges::all_of(seen->members, knows) &&
            seen->ring.moving == 0 && seen->ring.leaving.empty()) {
            return exits::done;
        }
        // As long as something arrives it goes on.
        const std::size_t left = seen ? seen->ring.moving + seen->ring.leaving.size() : least_left;
        if (left < least_left) {
            least_left = left;
            end = std::chrono::steady_clock::now() + patience;
        }
        if (std::chrono::steady_clock::now() >= end) {
            return common_.reporter().error(
                Error{Code::timed_out,
                      fmt::format("ring {} is committed, but not every node knows it, or what "
                                  "moves has not arrived yet",
                                  number),
                      {},
                      Applied::yes},
                {}, "see dyn-ring status");
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
}

}  // namespace
}  // namespace dynamo::cli

int main(int count, char** words) {
    dynamo::cli::RingTool tool;
    return dynamo::cli::run_tool(tool.spec(), count, words);
}
