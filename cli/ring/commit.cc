#include "cli/ring/commit.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/common/files.h"
#include "cli/common/pace.h"
#include "cli/common/progress.h"
#include "cli/ring/estimate.h"
#include "cli/ring/transfers.h"

namespace dynamo::cli {
namespace {

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

/// What has to arrive yet: copies of partitions, and nodes that hand over. Nobody waits for one
/// that was removed and does not answer.
std::size_t left_in(const Survey& survey) {
    std::size_t left = 0;
    for (const MovingPartition& moving : survey.ring.moving) {
        left += moving.waiting.size();
    }
    return left + static_cast<std::size_t>(
                      std::ranges::count(survey.leaving, "leaving", &MemberReport::leaving_state));
}

/// Whether everybody who answers knows the ring, and nothing is under way.
bool is_at_rest(const Survey& survey, std::uint64_t number) {
    const auto knows = [number](const MemberReport& member) {
        return !member.status || member.is_stranger() || member.status->ring >= number;
    };
    return survey.ring.number >= number && survey.ring.moving.empty() && left_in(survey) == 0 &&
           std::ranges::all_of(survey.members, knows);
}

/// "n9", "n9,z2", "n9,z2,200".
Result<NodeInfo> node_from_text(const std::string& text) {
    constexpr std::uint64_t most_weight = 10'000;
    const auto first = text.find(',');
    const auto second = first == std::string::npos ? first : text.find(',', first + 1);
    NodeInfo node;
    node.name = text.substr(0, first);
    if (first != std::string::npos) {
        node.zone =
            text.substr(first + 1, second == std::string::npos ? second : second - first - 1);
    }
    if (second != std::string::npos) {
        const auto weight = number_from_text(text.substr(second + 1), most_weight);
        if (!weight || *weight == 0) {
            return fail(Code::bad_request, "'" + text + "': a weight is from 1 to 10000");
        }
        node.weight = static_cast<unsigned>(*weight);
    }
    if (node.name.empty()) {
        return fail(Code::bad_request, "'" + text + "' names no node; write NAME[,ZONE[,WEIGHT]]");
    }
    return node;
}

/// Of a saved ring; the largest has some thousand nodes and changes.
constexpr std::size_t most_saved_octets = std::size_t{256} << 20;
constexpr std::string_view nothing_staged =
    "nothing is staged; see dyn-ring join, leave, remove, replace and set";

}  // namespace

void RingCommit::build(App& app) {
    App& plan = app.verb("plan", "print what a commit of everything staged would do");
    plan.option({.letter = "-o",
                 .name = "--output",
                 .help = "write the plan as JSON here as well",
                 .value = "FILE"},
                output_);
    plan.option({.letter = "",
                 .name = "--rate",
                 .help = "say how long it takes when each node takes in so much a second, as in "
                         "40MiB",
                 .value = "RATE"},
                [this](const std::string& text) -> Result<void> {
                    const auto rate = rate_from_text(text);
                    if (!rate) {
                        return std::unexpected(rate.error());
                    }
                    rate_ = *rate;
                    return {};
                });
    plan.option({.letter = "",
                 .name = "--simulate",
                 .help = "plan on a ring that save wrote, with --join and --leave instead of what "
                         "is staged; nobody is asked",
                 .value = "FILE"},
                saved_);
    plan.option({.letter = "",
                 .name = "--join",
                 .help = "with --simulate: a node that need not exist joins; may be repeated",
                 .value = "NAME[,ZONE[,WEIGHT]]",
                 .repeated = true},
                [this](const std::string& text) -> Result<void> {
                    const auto node = node_from_text(text);
                    if (!node) {
                        return std::unexpected(node.error());
                    }
                    what_if_.join.push_back(*node);
                    return {};
                });
    plan.option({.letter = "",
                 .name = "--leave",
                 .help = "with --simulate: a member leaves; may be repeated",
                 .value = "NODE",
                 .repeated = true},
                [this](const std::string& text) -> Result<void> {
                    what_if_.leave.push_back(text);
                    return {};
                });
    plan.action([this] { return this->plan(); });
    App& save = app.verb("save", "write the ring to a file, for plan --simulate");
    save.operands({.name = "FILE", .help = "where to", .least = 1, .most = 1}, operands_);
    save.action([this] { return this->save(); });

    App& commit = app.verb("commit", "make what is staged the new ring");
    commit.option({.letter = "",
                   .name = "--plan",
                   .help = "refuse (3) unless it is exactly this plan; without it a plan is made "
                           "and committed as one step",
                   .value = "ID"},
                  plan_id_);
    commit.option({.letter = "",
                   .name = "--accept-loss",
                   .help = "go on though so many partitions, exactly, are left with fewer than W "
                           "copies; the plan tells how many",
                   .value = "COUNT"},
                  [this](const std::string& text) -> Result<void> {
                      constexpr std::uint64_t most = 16384;
                      const auto number = number_from_text(text, most);
                      if (!number) {
                          return std::unexpected(number.error());
                      }
                      accept_loss_ = *number;
                      return {};
                  });
    commit.flag({.letter = "",
                 .name = "--wait",
                 .help = "wait until every node knows the new ring and all that moves has arrived"},
                wait_);
    commit.action([this] { return this->commit(); });

    App& cancel = app.verb("cancel", "take back a change that is under way, and what is staged");
    cancel.flag({.letter = "",
                 .name = "--wait",
                 .help = "wait until every node knows it and what had moved is back"},
                wait_);
    cancel.action([this] { return this->cancel(); });
    app.verb("wait", "wait until no change is under way any more").action([this] {
        return wait();
    });
    app.verb("transfers", "print what a change still moves, and what stands in its way")
        .action([this] { return transfers(); });
}

int RingCommit::print(const std::string& text) const {
    return write_out(text) ? exits::done : exits::server;
}

int RingCommit::plan() {
    const Reporter reporter = common_.reporter();
    if (saved_) {
        return simulated();
    }
    if (!what_if_.join.empty() || !what_if_.leave.empty()) {
        return reporter.usage(
            Error{Code::bad_request, "--join and --leave of plan go with --simulate"},
            "stage real changes with dyn-ring join and dyn-ring leave");
    }
    auto admin = common_.open_admin();
    if (!admin) {
        return reporter.error(admin.error());
    }
    const auto plan = plan_of_staged(*admin);
    if (!plan) {
        return reporter.error(plan.error());
    }
    if (!*plan) {
        return reporter.no(std::string(nothing_staged));
    }
    return show_plan(**plan, estimate(*admin, **plan, rate_),
                     fmt::format("next: {}\n", next_command(**plan)));
}

int RingCommit::show_plan(const Plan& plan, const Estimate& costs, const std::string& next) {
    const std::string json = dumped(plan_json(plan, costs)) + "\n";
    if (output_) {
        if (const auto written = write_file(*output_, json); !written) {
            return common_.reporter().error(written.error());
        }
    }
    return print(common_.json() ? json : plan_text(plan, costs) + next);
}

int RingCommit::simulated() {
    const Reporter reporter = common_.reporter();
    const auto octets = read_file(*saved_, most_saved_octets);
    if (!octets) {
        return reporter.error(octets.error());
    }
    const auto plan = simulate(*octets, what_if_);
    if (!plan) {
        return reporter.error(plan.error(), *saved_);
    }
    const std::vector<Result<NodeStatus>> untold(plan->rows.size(),
                                                 fail(Code::unreachable, "nobody was asked"));
    return show_plan(*plan, estimate(*plan, untold, 0), "");
}

int RingCommit::save() {
    const Reporter reporter = common_.reporter();
    auto admin = common_.open_admin();
    if (!admin) {
        return reporter.error(admin.error());
    }
    const auto octets = admin->saved_ring();
    if (!octets) {
        return reporter.error(octets.error());
    }
    const auto written = write_file(operands_.front().text, *octets);
    return written ? exits::done : reporter.error(written.error());
}

int RingCommit::commit() {
    const Reporter reporter = common_.reporter();
    auto admin = common_.open_admin();
    if (!admin) {
        return reporter.error(admin.error());
    }
    if (plan_id_) {
        return make(*admin, *plan_id_);
    }
    const auto plan = plan_of_staged(*admin);
    if (!plan) {
        return reporter.error(plan.error());
    }
    if (!*plan) {
        return reporter.no(std::string(nothing_staged));
    }
    if (!reporter.json()) {
        write_error(plan_text(**plan, estimate(*admin, **plan, 0)));
    }
    return make(*admin, (*plan)->id);
}

int RingCommit::cancel() {
    auto admin = common_.open_admin();
    if (!admin) {
        return common_.reporter().error(admin.error());
    }
    if (const auto staged = admin->stage_discard(true, {}); !staged) {
        return common_.reporter().error(staged.error());
    }
    const auto plan = admin->plan();
    return plan ? make(*admin, plan->id) : common_.reporter().error(plan.error());
}

int RingCommit::make(Admin& admin, const std::string& id) {
    const Reporter reporter = common_.reporter();
    const auto number = admin.commit(id, accept_loss_);
    if (!number) {
        return reporter.error(number.error(), id);
    }
    if (wait_) {
        if (const int waited = wait_for(admin, *number); waited != exits::done) {
            return waited;
        }
    }
    const nlohmann::ordered_json object = {
        {"schema", reporter.schema()}, {"plan", id}, {"ring", *number}};
    return print(common_.json() ? dumped(object) + "\n" : fmt::format("RING v{}\n", *number));
}

int RingCommit::wait() {
    auto with = common_.open_with_ring();
    if (!with) {
        return common_.reporter().error(with.error());
    }
    return wait_for(with->admin, with->ring.number);
}

int RingCommit::wait_for(Admin& admin, std::uint64_t number) {
    // The timeout is that of a request; news of a ring takes some rounds of gossip on top.
    const auto patience = common_.timeout() + std::chrono::seconds(30);
    auto end = std::chrono::steady_clock::now() + patience;
    std::size_t most = 0;
    std::size_t least = SIZE_MAX;
    Progress progress;
    for (;;) {
        const auto seen = survey(admin);
        if (seen && is_at_rest(*seen, number)) {
            progress.clear();
            return exits::done;
        }
        const std::size_t left = seen ? left_in(*seen) : least;
        most = seen ? std::max(most, left) : most;
        if (left < least) {
            least = left;
            end = std::chrono::steady_clock::now() + patience;
        }
        if (most > 0) {
            progress.show(most - left, 0,
                          static_cast<double>(most - left) / static_cast<double>(most));
        }
        if (std::chrono::steady_clock::now() >= end) {
            progress.clear();
            const auto blockers =
                seen ? blockers_of(transfers_of(*seen)) : std::vector<std::string>();
            return common_.reporter().error(
                Error{Code::timed_out,
                      fmt::format("ring {} is committed, but not every node knows it, or what "
                                  "moves has not arrived yet{}{}",
                                  number, blockers.empty() ? "" : ": ", fmt::join(blockers, "; ")),
                      {},
                      Applied::yes},
                {}, "see dyn-ring transfers");
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
}

int RingCommit::transfers() {
    const Reporter reporter = common_.reporter();
    auto admin = common_.open_admin();
    if (!admin) {
        return reporter.error(admin.error());
    }
    const auto seen = survey(*admin);
    if (!seen) {
        return reporter.error(seen.error());
    }
    const auto rows = transfers_of(*seen);
    if (common_.json()) {
        return print(dumped(transfers_json(*seen)) + "\n");
    }
    if (common_.format() == Format::tsv) {
        return print(transfers_table(rows).tsv());
    }
    if (rows.empty()) {
        reporter.remark("nothing moves");
        return exits::done;
    }
    return print(transfers_table(rows).text());
}

}  // namespace dynamo::cli
