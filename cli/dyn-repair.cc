// dyn-repair: has replicas mended by hand, beside what they do by themselves.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/common/interrupt.h"
#include "cli/common/lines.h"
#include "cli/common/options.h"
#include "cli/common/pace.h"
#include "cli/common/progress.h"
#include "cli/common/spec.h"
#include "cli/diff/pairs.h"
#include "cli/diff/repair.h"
#include "cli/repair/gc.h"
#include "cli/repair/jobs.h"
#include "cli/repair/restraint.h"
#include "cli/repair/scrub.h"
#include "cli/repair/upkeep.h"
#include "dynamo/diff.h"

namespace dynamo::cli {
namespace {

constexpr std::size_t keys_at_once = 64;
constexpr std::size_t longest_key_text = 1u << 20;

/// Both ends are among them.
Result<std::vector<unsigned>> range_of_partitions(const RingView& ring, const std::string& first,
                                                  const std::string& last) {
    std::vector<unsigned> ends;
    for (const std::string& text : {first, last}) {
        const auto number = number_from_text(text, ring.partitions - 1);
        if (!number) {
            return std::unexpected(Error{
                Code::bad_request,
                fmt::format("there is no partition '{}'; the ring has {}", text, ring.partitions)});
        }
        ends.push_back(static_cast<unsigned>(*number));
    }
    if (ends[0] > ends[1]) {
        return std::unexpected(Error{Code::bad_request, "the smaller partition comes first"});
    }
    std::vector<unsigned> partitions(ends[1] - ends[0] + 1);
    std::iota(partitions.begin(), partitions.end(), ends[0]);
    return partitions;
}

class RepairTool {
  public:
    Spec spec();

  private:
    void build(App& app);
    int run();
    int run_with(Admin& admin, const RingView& ring, Client& client);
    [[nodiscard]] Result<void> mend_list(Repair& repair);
    [[nodiscard]] Result<void> mend_scope(Admin& admin, const RingView& ring,
                                          const std::vector<unsigned>& partitions, Repair& repair);
    [[nodiscard]] Result<std::vector<unsigned>> partitions_in_scope(const RingView& ring);
    [[nodiscard]] Result<void> mend_pair(Comparison& comparison,
                                         const std::vector<unsigned>& partitions, Repair& repair);
    void mend(Repair& repair, const std::vector<std::string>& keys);
    [[nodiscard]] bool goes_on();
    void tell(const std::string& key, const Repair::Outcome& outcome);
    [[nodiscard]] int finish();

    CommonOptions common_{"dyn-repair"};
    std::string scope_ = "all";
    std::string keys_from_;
    bool dry_run_ = false;
    Restraint restraint_;
    Upkeep upkeep_{common_};
    Throttle throttle_{common_};
    Scrub scrub_{common_};
    Gc gc_{common_};
    Jobs jobs_{common_};

    Admin* admin_ = nullptr;  // while it runs
    const RingView* ring_ = nullptr;
    std::string prefix_;
    std::string only_key_;
    Progress progress_;
    std::optional<double> share_;
    std::uint64_t looked_at_ = 0;
    std::uint64_t different_ = 0;
    std::uint64_t failed_ = 0;
    std::uint64_t octets_ = 0;
    std::set<std::string> looked_at_before_;  // with --dry-run
};

Spec RepairTool::spec() {
    return {
        .name = "dyn-repair",
        .brief = "have replicas mended now, and see how they mend themselves",
        .about =
            "Replicas mend their differences by themselves; status tells how far they are, "
            "throttle how fast they may. run does it at once, for all keys or some: whole "
            "partitions as a job, which nodes go on with by themselves, over restarts too, and "
            "which list, show, wait, pause, resume and cancel are about. What is the same "
            "everywhere costs next to nothing. scrub finds what a disk has damaged, gc forgets "
            "what was deleted.",
        .build = [this](App& app) { build(app); },
        .examples = {{"dyn-repair run", "Mend everything that owners hold differently."},
                     {"dyn-repair status || mail -s 'replicas are late' operator < /dev/null",
                      "Hear of it when copies were not compared in time, from cron."},
                     {"dyn-repair run --scope node=n2 --max-rate 500",
                      "Mend what n2 owns, 500 keys a second."},
                     {"dyn-repair wait $(dyn-repair run --detach)",
                      "Leave it to the nodes, and wait until it is done."},
                     {"dyn-repair run --scope prefix=cart: --dry-run", "Say what would be mended."},
                     {"dyn-merkle-diff n1 n3 --keys -0 | dyn-repair run --keys-from - -0",
                      "Mend what two nodes differ in."},
                     {"dyn-repair scrub --window 22:00-06:00 --pause-if 'p99>50ms'",
                      "Read all that is stored, at night, while nobody suffers from it."},
                     {"dyn-repair hints flush --wait 5m",
                      "Before a node is taken away: have it deliver what it keeps for others."},
                     {"dyn-repair gc --dry-run", "Say why tombstones are still there."},
                     {"dyn-repair throttle 4MiB", "Slow down what nodes do in the background."}},
        .exits = with_failures(
            {{exits::done, "all owners hold the same, were compared in time, and so on"},
             {exits::no,
              "run --dry-run: there is work; status: copies were not compared in time, or are "
              "being rebuilt; scrub: damage was found; rebuild-tree --check: a tree was wrong; "
              "hints flush: some are held still; gc: something is kept of what was deleted"},
             {exits::partial,
              "some keys could not be mended, some nodes did not answer, or "
              "interrupted"}}),
    };
}

void RepairTool::build(App& app) {
    App& run_verb = app.verb("run", "mend what owners hold differently");
    run_verb.option({.letter = "",
                     .name = "--scope",
                     .help = "all (the default), node=NAME, partition=N, range=N..M of partitions, "
                             "prefix=P or key=K",
                     .value = "SCOPE"},
                    scope_);
    run_verb
        .option({.letter = "",
                 .name = "--keys-from",
                 .help = "the keys of a list, - for standard input or @FILE",
                 .value = "SOURCE"},
                keys_from_)
        .excludes = {"--scope"};
    run_verb.flag({.letter = "", .name = "--dry-run", .help = "say what there is to do, and stop"},
                  dry_run_);
    jobs_.declare_detach(run_verb);
    restraint_.declare(run_verb, "keys to mend");
    common_.declare(run_verb, {.formats = {}, .keys = true, .lists = true, .network = false});
    run_verb.action([this] { return run(); });
    jobs_.build(app);
    upkeep_.build(app);
    throttle_.build(app);
    scrub_.build(app);
    gc_.build(app);
    common_.declare(app, {.formats = {"human", "json", "ndjson", "tsv"}});
}

bool RepairTool::goes_on() {
    return restraint_.wait(*admin_, *ring_, looked_at_, common_.reporter());
}

void RepairTool::tell(const std::string& key, const Repair::Outcome& outcome) {
    ++looked_at_;
    if (outcome.failed) {
        ++failed_;
        progress_.clear();
        static_cast<void>(common_.reporter().error(*outcome.failed, common_.key_text(key)));
        return;
    }
    if (!outcome.changed) {
        return;
    }
    ++different_;
    octets_ += outcome.octets;
    if (dry_run_) {
        std::string line = common_.key_text(key) + common_.separator();
        if (common_.json()) {
            nlohmann::ordered_json object;
            put_octets(object, "key", key);
            line = dumped(object) + "\n";
        }
        progress_.clear();
        static_cast<void>(write_out(line));
    }
}

void RepairTool::mend(Repair& repair, const std::vector<std::string>& keys) {
    for (std::size_t at = 0; at < keys.size() && goes_on(); at += keys_at_once) {
        const auto end = std::min(keys.size(), at + keys_at_once);
        const std::vector<std::string> some(keys.begin() + static_cast<std::ptrdiff_t>(at),
                                            keys.begin() + static_cast<std::ptrdiff_t>(end));
        if (dry_run_) {
            for (const std::string& key : some) {
                tell(key, repair.look(key));
            }
        } else {
            repair.mend(some, [this](const std::string& key, const Repair::Outcome& outcome) {
                tell(key, outcome);
            });
        }
        progress_.show(looked_at_, failed_, share_);
    }
}

Result<void> RepairTool::mend_list(Repair& repair) {
    auto reader = LineReader::open(keys_from_, common_.separator(), longest_key_text);
    if (!reader) {
        return std::unexpected(reader.error());
    }
    std::vector<std::string> keys;
    while (!reader->at_end() && !interrupted()) {
        const auto line = reader->next();
        if (!line) {
            mend(repair, std::exchange(keys, {}));
            if (const auto filled = reader->fill(std::chrono::milliseconds(200)); !filled) {
                return filled;
            }
            continue;
        }
        auto key = line->too_long ? std::unexpected(Error{Code::too_large, "the line is too long"})
                                  : common_.key_from_text(line->text);
        if (key && key->empty()) {
            key = std::unexpected(Error{Code::bad_request, "a key has one octet or more"});
        }
        if (!key) {
            ++failed_;
            static_cast<void>(
                common_.reporter().error(key.error(), fmt::format("line {}", line->number)));
            continue;
        }
        keys.push_back(std::move(*key));
        if (keys.size() == keys_at_once) {
            mend(repair, std::exchange(keys, {}));
        }
    }
    mend(repair, keys);
    return {};
}

Result<std::vector<unsigned>> RepairTool::partitions_in_scope(const RingView& ring) {
    const auto equals = scope_.find('=');
    const std::string kind = scope_.substr(0, equals);
    const std::string what = equals == std::string::npos ? "" : scope_.substr(equals + 1);
    std::vector<unsigned> partitions;
    if (kind == "partition") {
        return range_of_partitions(ring, what, what);
    }
    if (kind == "range") {
        const auto dots = what.find("..");
        if (dots == std::string::npos) {
            return std::unexpected(
                Error{Code::bad_request,
                      fmt::format("'{}' is no range of partitions; write such as 0..63", what)});
        }
        return range_of_partitions(ring, what.substr(0, dots), what.substr(dots + 2));
    }
    if (kind == "key" || kind == "prefix") {
        auto octets = common_.key_from_text(what);
        if (!octets) {
            return std::unexpected(octets.error());
        }
        if (octets->empty()) {
            return std::unexpected(Error{Code::bad_request, "--scope " + kind + "= names nothing"});
        }
        (kind == "key" ? only_key_ : prefix_) = std::move(*octets);
        if (kind == "key") {
            return partitions;
        }
    } else if (kind != "node" && scope_ != "all") {
        return std::unexpected(Error{
            Code::bad_request,
            fmt::format("no scope is called '{}'; write all, node=NAME, partition=N, range=N..M, "
                        "prefix=P or key=K",
                        scope_)});
    }
    std::string id;
    if (kind == "node") {
        const auto node = member_named(ring, what);
        if (!node) {
            return std::unexpected(node.error());
        }
        id = node->id;
    }
    for (unsigned at = 0; at < ring.partitions; ++at) {
        if (id.empty() || std::ranges::any_of(ring.owners[at], [&](unsigned owner) {
                return ring.nodes[owner].id == id;
            })) {
            partitions.push_back(at);
        }
    }
    return partitions;
}

Result<void> RepairTool::mend_pair(Comparison& comparison, const std::vector<unsigned>& partitions,
                                   Repair& repair) {
    const CompareOptions options{.prefix = prefix_};
    const auto different = comparison.different(partitions, options);
    if (!different) {
        return std::unexpected(different.error());
    }
    for (const unsigned partition : *different) {
        if (interrupted()) {
            return {};
        }
        const auto suspects = comparison.partition(partition, options);
        if (!suspects) {
            return std::unexpected(suspects.error());
        }
        std::vector<std::string> keys;
        for (const Suspect& suspect : *suspects) {
            // What is only looked at differs between the next two owners as well.
            if (!dry_run_ || looked_at_before_.insert(suspect.key).second) {
                keys.push_back(suspect.key);
            }
        }
        mend(repair, keys);
    }
    return {};
}

Result<void> RepairTool::mend_scope(Admin& admin, const RingView& ring,
                                    const std::vector<unsigned>& partitions, Repair& repair) {
    if (!only_key_.empty()) {
        mend(repair, {only_key_});
        return {};
    }
    const auto pairs = pairs_of(ring, partitions);
    for (std::size_t at = 0; at < pairs.size() && !interrupted(); ++at) {
        share_ = static_cast<double>(at) / static_cast<double>(pairs.size());
        progress_.show(looked_at_, failed_, share_);
        Comparison comparison(admin, pairs[at].first.client_address,
                              pairs[at].second.client_address);
        if (const auto mended = mend_pair(comparison, pairs[at].partitions, repair); !mended) {
            return mended;
        }
    }
    return {};
}

int RepairTool::finish() {
    progress_.clear();
    if (common_.json()) {
        const nlohmann::ordered_json object = {{"schema", common_.reporter().schema()},
                                               {"different", different_},
                                               {"failed", failed_},
                                               {"octets", octets_},
                                               {"dry_run", dry_run_}};
        static_cast<void>(write_out(dumped(object) + "\n"));
    } else if (dry_run_) {
        std::string text = fmt::format("{} {} to be mended, {} held of them", different_,
                                       different_ == 1 ? "key" : "keys", bytes_text(octets_));
        if (const unsigned rate = restraint_.rate(); rate > 0) {
            text +=
                fmt::format(", {} at {} a second",
                            age_text(static_cast<std::int64_t>(different_ * 1000 / rate)), rate);
        }
        common_.reporter().remark(text);
    } else {
        common_.reporter().remark(fmt::format("{} mended, {} failed", different_, failed_));
    }
    if (failed_ > 0 || interrupted()) {
        return exits::partial;
    }
    return dry_run_ && different_ > 0 ? exits::no : exits::done;
}

int RepairTool::run_with(Admin& admin, const RingView& ring, Client& client) {
    catch_interrupt();
    admin_ = &admin;
    ring_ = &ring;
    const auto partitions =
        keys_from_.empty() ? partitions_in_scope(ring) : std::vector<unsigned>{};
    if (!partitions) {
        return common_.reporter().error(partitions.error());
    }
    const bool by_key = !keys_from_.empty() || !only_key_.empty() || !prefix_.empty();
    if (!by_key && !dry_run_) {
        return jobs_.run(admin, ring, *partitions, scope_, restraint_);
    }
    if (jobs_.detached()) {
        return common_.reporter().usage(
            Error{Code::bad_request,
                  "--detach is for whole partitions: what is chosen by key the tool mends itself"});
    }
    Repair repair(client, admin, ring, common_.timeout());
    const auto done =
        keys_from_.empty() ? mend_scope(admin, ring, *partitions, repair) : mend_list(repair);
    if (!done) {
        progress_.clear();
        return common_.reporter().error(done.error());
    }
    return finish();
}

int RepairTool::run() {
    const Reporter reporter = common_.reporter();
    auto with = common_.open_with_ring();
    if (!with) {
        return reporter.error(with.error());
    }
    auto client = common_.open_client();
    if (!client) {
        return reporter.error(client.error());
    }
    return run_with(with->admin, with->ring, *client);
}

}  // namespace
}  // namespace dynamo::cli

int main(int count, char** words) {
    dynamo::cli::RepairTool tool;
    return dynamo::cli::run_tool(tool.spec(), count, words);
}
