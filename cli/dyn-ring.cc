// dyn-ring: shows the ring of a cluster and changes it (paper sections 4.2, 4.8).
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/common/options.h"
#include "cli/common/pace.h"
#include "cli/common/spec.h"
#include "cli/ring/commit.h"
#include "cli/ring/look.h"
#include "cli/ring/print.h"
#include "cli/ring/staging.h"
#include "cli/ring/survey.h"

namespace dynamo::cli {
namespace {

class RingTool {
  public:
    Spec spec();

  private:
    void build(App& app);
    int status();
    int check();
    int where();
    [[nodiscard]] int print(const std::string& text) const;
    [[nodiscard]] int show_survey(const Survey& survey) const;
    [[nodiscard]] Result<Admin> open_prompt_admin() const;

    CommonOptions common_{"dyn-ring"};
    RingLook look_{common_};
    RingStaging staging_{common_};
    RingCommit commit_{common_};
    Throttle throttle_{common_};
    std::vector<Operand> operands_;
};

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
                     {"dyn-ring leave n2 && dyn-ring commit --wait",
                      "Have a node hand over what it holds, and go."},
                     {"dyn-ring replace n2 127.0.0.1:7140 --lost && dyn-ring plan --rate 40MiB",
                      "Put a waiting daemon in the place of one whose disk is gone."},
                     {"dyn-ring transfers", "See what a change still moves, and what holds it up."},
                     {"dyn-ring cancel --wait", "Take back a change that is under way."},
                     {"dyn-ring diff 2 3", "See who owned what before a change, and who after."},
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
                                 "nothing is staged; rebalance: nothing would move; diff: they "
                                 "differ"},
                                {exits::conflict,
                                 "the ring or what is staged is not what the plan "
                                 "was made for"},
                                {exits::refused,
                                 "the change would lose copies, a node cannot do what it is to, or "
                                 "another change is under way; the message names the way out"}}),
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
    staging_.build(app);
    commit_.build(app);
    throttle_.build(app);
    common_.declare(app, {.formats = {"human", "json", "tsv"}, .keys = true});
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

}  // namespace
}  // namespace dynamo::cli

int main(int count, char** words) {
    dynamo::cli::RingTool tool;
    return dynamo::cli::run_tool(tool.spec(), count, words);
}
