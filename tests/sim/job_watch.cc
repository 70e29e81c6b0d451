#include "tests/sim/job_watch.h"

#include <algorithm>

#include "libdynamo/base/hash.h"
#include "libdynamo/ring/partition_set.h"

namespace dynamo::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using wire::JobAction;
using wire::JobState;

constexpr Duration between_polls = milliseconds(250);
constexpr Duration patience = seconds(120);

std::string name(unsigned node) { return "n" + std::to_string(node + 1); }

}  // namespace

JobWatch::JobWatch(World& world, Cluster& cluster) : world_(world), cluster_(cluster) {
    if (world_.setup.jobs > 0)
        cluster_.watch_jobs(
            [this](unsigned node, const wire::JobsReply& reply) { look(node, reply); });
}

void JobWatch::schedule() {
    for (unsigned number = 0; number < world_.setup.jobs; ++number) {
        Random random = world_.chance.at(Stream::jobs, number);
        const auto within = static_cast<std::uint64_t>(world_.setup.chaos.count());
        const auto at = Duration(static_cast<Duration::rep>(random.below(within)));
        world_.timeline.after(
            at, [this, number, random] { begin("job" + std::to_string(number), random); });
    }
    if (world_.setup.jobs > 0) poll();
}

void JobWatch::tell(unsigned node, wire::ClientRequest body) {
    cluster_.ask(operator_end, node, {++asked_, seconds(2), {}, std::move(body)});
}

void JobWatch::begin(const std::string& id, Random random) {
    Job& job = jobs_[id];
    const std::uint16_t count = cluster_.routes().partitions();
    std::map<std::uint16_t, bool> partitions;
    const auto only = static_cast<std::uint16_t>(random.below(count));
    const bool one = random.chance(0.3);
    for (std::uint16_t at = 0; at < count; ++at)
        if (!one || at == only) partitions[at] = true;
    job.partitions = set_of_keys(partitions, count);
    for (unsigned node = 0; node < cluster_.size(); ++node) {
        Held& held = job.held.emplace_back();
        held.run = cluster_.process(node).runs();
        if (!cluster_.process(node).up()) continue;
        for (const Bytes& key : world_.ledger.keys())
            if (auto object = cluster_.stored_whole(node, key)) held.objects[key] = *object;
    }
    wire::JobRequest request{{}, id, JobAction::begin, job.partitions, "all", 1};
    if (random.chance(0.2)) request.rate = 20;
    if (world_.trace.wordy()) world_.say("the operator begins " + id);
    for (unsigned node = 0; node < cluster_.size(); ++node) tell(node, request);
    if (!random.chance(0.3)) return;
    // Paused for a while, or for as long as the faults last.
    world_.timeline.after(milliseconds(random.below(3000)), [this, id] {
        for (unsigned node = 0; node < cluster_.size(); ++node)
            tell(node, wire::JobRequest{{}, id, JobAction::pause, {}, {}, 0});
    });
    if (random.chance(0.5))
        world_.timeline.after(milliseconds(3000 + random.below(3000)), [this, id] {
            for (unsigned node = 0; node < cluster_.size(); ++node)
                tell(node, wire::JobRequest{{}, id, JobAction::resume, {}, {}, 0});
        });
}

void JobWatch::poll() {
    for (unsigned node = 0; node < cluster_.size(); ++node) tell(node, wire::JobsRequest{});
    world_.timeline.after(between_polls, [this] { poll(); });
}

void JobWatch::look(unsigned node, const wire::JobsReply& reply) {
    std::size_t open = 0;
    for (const wire::JobShare& share : reply.shares) {
        const auto job = jobs_.find(share.id);
        if (job == jobs_.end()) continue;
        job->second.began.try_emplace(node, cluster_.process(node).runs());
        if (share.state == JobState::running || share.state == JobState::paused) ++open;
        if (share.state == JobState::done) judge(node, share.id, job->second);
    }
    open_[node] = open;
}

void JobWatch::judge(unsigned node, const std::string& id, Job& job) {
    const std::uint64_t run = cluster_.process(node).runs();
    const auto before = job.judged.lower_bound({node, 0});
    const bool is_first = before == job.judged.end() || before->first != node;
    if (!cluster_.is_whole(node) || !job.judged.emplace(node, run).second) return;
    world_.marks.hit(Mark::job_done, is_first ? 1 : 0);
    world_.marks.hit(Mark::job_went_on, is_first && job.began.at(node) != run ? 1 : 0);
    for (unsigned other = 0; other < job.held.size(); ++other) {
        if (other == node || cluster_.process(other).runs() != job.held[other].run) continue;
        for (const auto& [key, object] : job.held[other].objects) {
            const std::uint16_t partition = cluster_.routes().partition_of(position_of(key));
            const auto owners = cluster_.owners(key);
            if (!is_in(job.partitions, partition) || !std::ranges::count(owners, node) ||
                !std::ranges::count(owners, other))
                continue;
            const Object has = cluster_.stored(node, key).value_or(Object{});
            Object both = has;
            merge(both, object);
            if (both != has)
                world_.verdict.fail(rule::job, key,
                                    name(node) + " is done with " + id + " and lacks what " +
                                        name(other) + " held when it began");
        }
    }
}

void JobWatch::finish(const Scene& scene) {
    if (jobs_.empty() || scene.alive.size() < cluster_.size()) return;
    const auto ended = [&] {
        return std::ranges::all_of(scene.alive, [&](unsigned node) {
            const auto at = open_.find(node);
            return at != open_.end() && at->second == 0;
        });
    };
    const Instant until = world_.timeline.now() + patience;
    open_.clear();
    while (!world_.verdict.failed() && world_.timeline.now() < until && !ended()) {
        for (const unsigned node : scene.alive)
            for (const auto& [id, job] : jobs_)
                tell(node, wire::JobRequest{{}, id, JobAction::resume, {}, {}, 0});
        world_.run_for(seconds(1));
    }
    if (!ended())
        world_.verdict.fail(rule::job, {}, "a job does not end, though all its owners are there");
}

}  // namespace dynamo::sim
