#include "cli/repair/jobs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <random>
#include <set>
#include <utility>

#include "cli/common/interrupt.h"
#include "cli/repair/upkeep.h"

namespace dynamo::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr auto first_pause = milliseconds(20);
constexpr auto longest_pause = milliseconds(1000);
/// A node that does not answer for so long is not just being restarted.
constexpr auto stays_away = std::chrono::seconds(10);

std::string new_id() {
    std::random_device random;
    return fmt::format("{:08x}", random());
}

std::int64_t now_ms() {
    return std::chrono::duration_cast<milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

bool is_open(const JobShare& share) {
    return share.state == JobState::running || share.state == JobState::paused;
}

std::string waits_of(const RingView& ring, const JobShare& share) {
    if (share.state != JobState::running) {
        return {};
    }
    std::vector<std::string> names;
    for (const std::string& owner : share.away) {
        names.push_back(name_of(ring, owner));
    }
    switch (share.waits) {
        case JobWaits::for_hours:
            return "hours";
        case JobWaits::for_latency:
            return "latency";
        case JobWaits::for_owners:
            return fmt::format("{}", fmt::join(names, ","));
        case JobWaits::no:
            break;
    }
    return {};
}

/// What any of its shares waits for.
std::string waits_of(const RingView& ring, const JobView& job) {
    std::set<std::string> all;
    for (const JobView::Part& part : job.parts) {
        if (const std::string text = waits_of(ring, part.share); !text.empty()) {
            all.insert(text);
        }
    }
    return all.empty() ? "-" : fmt::format("{}", fmt::join(all, ","));
}

std::string share_text(std::uint64_t compared, std::uint64_t pairs) {
    return pairs == 0 ? "100%" : fmt::format("{}%", compared * 100 / pairs);
}

Candidates live_jobs() {
    auto with = CommonOptions::open_for_completion();
    Candidates candidates;
    for (const NodeInfo& node : with ? with->ring.nodes : std::vector<NodeInfo>{}) {
        const auto shares = with->admin.jobs_at(node.client_address);
        for (const JobShare& share : shares ? *shares : std::vector<JobShare>{}) {
            if (std::ranges::find(candidates, share.id, &Candidate::word) == candidates.end()) {
                candidates.push_back({share.id, share.scope});
            }
        }
    }
    return candidates;
}

}  // namespace

JobState JobView::state() const {
    for (const JobState state : {JobState::running, JobState::paused, JobState::cancelled}) {
        if (std::ranges::any_of(parts,
                                [&](const Part& part) { return part.share.state == state; })) {
            return state;
        }
    }
    return JobState::done;
}

std::uint64_t JobView::sum(std::uint64_t JobShare::* field) const {
    std::uint64_t sum = 0;
    for (const Part& part : parts) {
        sum += part.share.*field;
    }
    return sum;
}

void Jobs::declare_detach(App& app) {
    app.flag(
        {.letter = "", .name = "--detach", .help = "print the job's id and leave it to the nodes"},
        detach_);
}

void Jobs::build(App& app) {
    const auto takes_id = [&](App& verb) {
        verb.operands({.name = "JOB",
                       .help = "its id, or as much of it as tells it from others",
                       .least = 1,
                       .most = 1,
                       .complete = live_jobs},
                      id_);
    };
    app.verb("list", "the jobs that nodes know").action([this] { return list(); });

    App& show_verb = app.verb("show", "how far each node is with a job");
    takes_id(show_verb);
    show_verb.action([this] { return show(); });

    App& wait_verb = app.verb("wait", "wait until a job has ended");
    takes_id(wait_verb);
    wait_verb.option({.letter = "",
                      .name = "--wait",
                      .help = "how long; without end when not given",
                      .value = "TIME"},
                     patience_);
    wait_verb.action([this] { return wait(); });

    struct Step {
        const char* name;
        const char* help;
        JobStep step;
        const char* done;
    };
    for (const Step& step :
         {Step{"pause", "have a job rest until it is resumed", JobStep::pause, "paused"},
          Step{"resume", "have a paused job go on", JobStep::resume, "resumed"},
          Step{"cancel", "end a job where it is", JobStep::cancel, "cancelled"}}) {
        App& verb = app.verb(step.name, step.help);
        takes_id(verb);
        verb.action([this, step] { return steer(step.step, step.done); });
    }
}

// ------------------------------------------------------------------------------- what nodes know

const JobView* Jobs::Known::find(const std::string& id) const {
    const auto at = std::ranges::find(jobs, id, &JobView::id);
    return at == jobs.end() ? nullptr : &*at;
}

Jobs::Known Jobs::gather(Admin& admin, const RingView& ring, bool told) const {
    Known known;
    for (const NodeInfo& node : ring.nodes) {
        auto shares = admin.jobs_at(node.client_address);
        if (!shares) {
            known.silent.push_back(node);
            if (told) {
                static_cast<void>(common_.reporter().error(shares.error(), node.name));
            }
            continue;
        }
        for (JobShare& share : *shares) {
            auto at = std::ranges::find(known.jobs, share.id, &JobView::id);
            if (at == known.jobs.end()) {
                at = known.jobs.insert(known.jobs.end(), JobView{share.id, {}});
            }
            at->parts.push_back({node, std::move(share)});
        }
    }
    std::ranges::stable_sort(known.jobs, std::ranges::greater{},
                             [](const JobView& job) { return job.parts.front().share.began_ms; });
    return known;
}

Result<Jobs::Chosen> Jobs::chosen() const {
    auto with = common_.open_with_ring();
    if (!with) {
        return std::unexpected(with.error());
    }
    Known known = gather(with->admin, with->ring, true);
    auto job = job_named(id_.front().text, known);
    if (!job) {
        return std::unexpected(job.error());
    }
    return Chosen{std::move(*with), std::move(known), std::move(*job)};
}

Result<JobView> Jobs::job_named(const std::string& text, const Known& known) {
    if (const JobView* whole = known.find(text)) {
        return *whole;
    }
    std::vector<const JobView*> found;
    for (const JobView& job : known.jobs) {
        if (!text.empty() && job.id.starts_with(text)) {
            found.push_back(&job);
        }
    }
    if (found.size() == 1) {
        return *found.front();
    }
    return std::unexpected(Error{
        Code::bad_request,
        found.empty() ? fmt::format("no node knows a job '{}'; dyn-repair list has them", text)
                      : fmt::format("the ids of {} jobs begin with '{}'", found.size(), text)});
}

nlohmann::ordered_json Jobs::json_of(const RingView& ring, const JobView& job) const {
    const JobShare& first = job.parts.front().share;
    nlohmann::ordered_json nodes = nlohmann::ordered_json::array();
    for (const JobView::Part& part : job.parts) {
        const std::string waits = waits_of(ring, part.share);
        nodes.push_back({{"node", part.node.name},
                         {"state", name_of(part.share.state)},
                         {"waits_for", waits},
                         {"pairs", part.share.pairs},
                         {"compared", part.share.compared},
                         {"different", part.share.different},
                         {"octets", part.share.octets}});
    }
    return {{"job", job.id},
            {"state", name_of(job.state())},
            {"scope", first.scope},
            {"began_ms", first.began_ms},
            {"max_rate", first.terms.rate},
            {"pause_if_us", first.terms.pause_us},
            {"pairs", job.sum(&JobShare::pairs)},
            {"compared", job.sum(&JobShare::compared)},
            {"different", job.sum(&JobShare::different)},
            {"octets", job.sum(&JobShare::octets)},
            {"nodes", nodes}};
}

void Jobs::print(const Table& table, const nlohmann::ordered_json& json) const {
    static_cast<void>(write_out(common_.json()                    ? dumped(json) + "\n"
                                : common_.format() == Format::tsv ? table.tsv()
                                                                  : table.text()));
}

int Jobs::list() {
    auto with = common_.open_with_ring();
    if (!with) {
        return common_.reporter().error(with.error());
    }
    const Known known = gather(with->admin, with->ring, true);
    Table table({{"JOB"},
                 {"STATE"},
                 {"SCOPE"},
                 {"BEGAN"},
                 {"COMPARED", true},
                 {"RECORDS", true},
                 {"BYTES", true},
                 {"WAITS FOR"}});
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (const JobView& job : known.jobs) {
        const JobShare& first = job.parts.front().share;
        table.add({job.id, std::string(name_of(job.state())), printable(first.scope),
                   time_text(first.began_ms),
                   share_text(job.sum(&JobShare::compared), job.sum(&JobShare::pairs)),
                   fmt::format("{}", job.sum(&JobShare::different)),
                   bytes_text(job.sum(&JobShare::octets)), waits_of(with->ring, job)});
        rows.push_back(json_of(with->ring, job));
    }
    print(table, {{"schema", common_.reporter().schema()}, {"jobs", rows}});
    return known.silent.empty() ? exits::done : exits::partial;
}

int Jobs::show() {
    auto found = chosen();
    if (!found) {
        return common_.reporter().error(found.error());
    }
    auto& [with, known, job] = *found;
    Table table({{"NODE"},
                 {"STATE"},
                 {"PAIRS", true},
                 {"COMPARED", true},
                 {"RECORDS", true},
                 {"BYTES", true},
                 {"WAITS FOR"}});
    for (const JobView::Part& part : job.parts) {
        const std::string waits = waits_of(with.ring, part.share);
        table.add({part.node.name, std::string(name_of(part.share.state)),
                   fmt::format("{}", part.share.pairs), fmt::format("{}", part.share.compared),
                   fmt::format("{}", part.share.different), bytes_text(part.share.octets),
                   waits.empty() ? "-" : waits});
    }
    nlohmann::ordered_json object = {{"schema", common_.reporter().schema()}};
    object.update(json_of(with.ring, job));
    print(table, object);
    return known.silent.empty() ? exits::done : exits::partial;
}

// ------------------------------------------------------------------------------------- steering

int Jobs::steer(JobStep step, const std::string& done) {
    auto found = chosen();
    if (!found) {
        return common_.reporter().error(found.error());
    }
    auto& [with, known, job] = *found;
    if (std::ranges::none_of(job.parts,
                             [](const JobView::Part& part) { return is_open(part.share); })) {
        return common_.reporter().no(
            fmt::format("job {} has ended: it is {}", job.id, name_of(job.state())));
    }
    bool all = known.silent.empty();
    for (const JobView::Part& part : job.parts) {
        const auto steered = with.admin.steer_job_at(part.node.client_address, job.id, step);
        if (!steered) {
            static_cast<void>(common_.reporter().error(steered.error(), part.node.name));
            all = false;
        }
    }
    if (!all) {
        common_.reporter().remark(fmt::format(
            "job {} is {}, but not at every node; say it again when all answer", job.id, done));
        return exits::partial;
    }
    common_.reporter().remark(fmt::format("job {} is {}", job.id, done));
    return exits::done;
}

int Jobs::wait() {
    auto found = chosen();
    if (!found) {
        return common_.reporter().error(found.error());
    }
    catch_interrupt();
    return follow(found->with.admin, found->with.ring, found->job.id, nullptr);
}

int Jobs::run(Admin& admin, const RingView& ring, const std::vector<unsigned>& partitions,
              const std::string& scope, const Restraint& restraint) {
    const NewJob job{new_id(), partitions, scope, now_ms(), restraint.terms()};
    std::optional<int> failed;
    std::size_t begun = 0;
    for (const NodeInfo& node : ring.nodes) {
        const auto share = admin.begin_job_at(node.client_address, job, ring.partitions);
        if (share) {
            ++begun;
        } else {
            failed = common_.reporter().error(share.error(), node.name);
        }
    }
    if (begun == 0) {
        return failed.value_or(exits::not_applied);
    }
    if (!detach_) {
        common_.reporter().remark("job " + job.id);
        return follow(admin, ring, job.id, &job);
    }
    static_cast<void>(write_out(
        common_.json() ? dumped({{"schema", common_.reporter().schema()}, {"job", job.id}}) + "\n"
                       : job.id + "\n"));
    return failed ? exits::partial : exits::done;
}

int Jobs::follow(Admin& admin, const RingView& ring, const std::string& id, const NewJob* again) {
    const auto end = patience_ > milliseconds(0) ? steady_clock::now() + patience_
                                                 : steady_clock::time_point::max();
    auto last_moved = steady_clock::now();
    std::chrono::duration<double, std::milli> pause = first_pause;
    for (;;) {
        const Known known = gather(admin, ring, false);
        const JobView* known_job = known.find(id);
        const JobView job = known_job ? *known_job : JobView{id, {}};
        const std::uint64_t pairs = job.sum(&JobShare::pairs);
        const std::uint64_t compared = job.sum(&JobShare::compared);
        progress_.show(
            job.sum(&JobShare::different), 0,
            pairs == 0 ? std::nullopt
                       : std::optional(static_cast<double>(compared) / static_cast<double>(pairs)));
        bool moves = false;
        for (const NodeInfo& node : ring.nodes) {
            const auto part = std::ranges::find(
                job.parts, node.id, [](const JobView::Part& one) { return one.node.id; });
            const bool silent = std::ranges::any_of(
                known.silent, [&](const NodeInfo& one) { return one.id == node.id; });
            if (part != job.parts.end()) {
                moves =
                    moves || (is_open(part->share) && part->share.waits != JobWaits::for_owners);
            } else if (again && !silent) {
                // It was away when the job began, or has lost what it knew.
                moves =
                    admin.begin_job_at(node.client_address, *again, ring.partitions).has_value() ||
                    moves;
            }
        }
        if (moves) {
            last_moved = steady_clock::now();
        }
        const bool ended = !moves && known.silent.empty() &&
                           std::ranges::none_of(job.parts, [](const JobView::Part& part) {
                               return is_open(part.share);
                           });
        const bool stays = again && steady_clock::now() > last_moved + stays_away;
        if (ended || stays || steady_clock::now() >= end ||
            !sleep_until(steady_clock::now() + std::chrono::duration_cast<milliseconds>(pause))) {
            return finish(ring, job, known);
        }
        pause = std::min<std::chrono::duration<double, std::milli>>(pause * 1.3, longest_pause);
    }
}

int Jobs::finish(const RingView& ring, const JobView& job, const Known& known) {
    progress_.clear();
    if (job.parts.empty()) {
        return common_.reporter().error(
            Error{Code::unreachable, fmt::format("no node tells of job {}", job.id)});
    }
    if (common_.json()) {
        nlohmann::ordered_json object = {{"schema", common_.reporter().schema()}};
        object.update(json_of(ring, job));
        object["failed"] = known.silent.size();
        object["dry_run"] = false;
        static_cast<void>(write_out(dumped(object) + "\n"));
    }
    const std::string done =
        fmt::format("{} of {} comparisons, {} records given or taken, {}",
                    job.sum(&JobShare::compared), job.sum(&JobShare::pairs),
                    job.sum(&JobShare::different), bytes_text(job.sum(&JobShare::octets)));
    const JobState state = job.state();
    if (state == JobState::done && known.silent.empty()) {
        common_.reporter().remark(fmt::format("job {} is done: {}", job.id, done));
        return exits::done;
    }
    if (state == JobState::cancelled) {
        return common_.reporter().no(fmt::format("job {} was cancelled: {}", job.id, done));
    }
    std::vector<std::string> silent;
    for (const NodeInfo& node : known.silent) {
        silent.push_back(node.name);
    }
    common_.reporter().remark(fmt::format(
        "job {} goes on by itself: {}{}; dyn-repair wait {}, or cancel", job.id, done,
        silent.empty() ? "" : fmt::format("; no answer from {}", fmt::join(silent, ", ")), job.id));
    return exits::partial;
}

}  // namespace dynamo::cli
