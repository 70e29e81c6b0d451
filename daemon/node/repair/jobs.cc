#include "daemon/node/repair/jobs.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "libdynamo/ring/partition_set.h"
#include "libdynamo/wire/struct_codec.h"

namespace dynamo {
namespace {

using wire::JobAction;
using wire::JobShare;
using wire::JobState;
using wire::JobWaits;

constexpr std::size_t most_open = 16;
constexpr std::size_t most_ended = 32;
constexpr std::size_t longest_id = 32;
constexpr std::size_t longest_scope = 256;
constexpr std::uint64_t most_records_a_second = 1'000'000'000;
constexpr std::uint16_t minutes_of_a_day = 24 * 60;
constexpr std::string_view first_row = "job/";
constexpr std::string_view row_past_last = "job0";
/// Between two looks at what a job waits for.
constexpr Duration between_looks = std::chrono::seconds(1);
constexpr Duration after_failure = std::chrono::milliseconds(100);

/// A job as it is stored.
struct Note {
    JobShare share;
    Bytes left;  ///< the partitions, as in a request
    static constexpr auto fields() {
        return std::tuple{wire::field("share", &Note::share), wire::bin("left", &Note::left)};
    }
};

Bytes row_of(const std::string& id) { return Bytes(first_row) + id; }

bool is_open(const JobShare& share) {
    return share.state == JobState::running || share.state == JobState::paused;
}

bool is_id(const std::string& id) {
    return !id.empty() && id.size() <= longest_id && std::ranges::all_of(id, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    });
}

bool is_printable(const std::string& text) {
    return std::ranges::none_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

bool are_sound(const wire::JobTerms& terms) {
    return terms.rate <= most_records_a_second && terms.from_minute < minutes_of_a_day &&
           terms.to_minute < minutes_of_a_day;
}

bool contain(const wire::JobTerms& hours, std::int64_t wall_ms) {
    const std::int64_t minute = wall_ms / 60'000 % minutes_of_a_day;
    const bool after = minute >= hours.from_minute;
    const bool before = minute < hours.to_minute;
    if (hours.from_minute == hours.to_minute) return true;
    return hours.from_minute < hours.to_minute ? after && before : after || before;
}

}  // namespace

// ------------------------------------------------------------------------------------------
// what is noted

Result<void> Jobs::start() {
    auto read = read_notes();
    unread_ = !read;
    next_try_ = desk_.now.instant + between_looks;
    return read;
}

Result<void> Jobs::read_notes() {
    std::vector<Note> notes;
    const auto scanned =
        desk_.storage.scan(Table::notes(), first_row, [&](BytesView row, BytesView value) {
            if (row >= row_past_last) return false;
            auto note = wire::decode_message<Note>(value, wire::Style::array);
            if (note && row == row_of(note->share.id) &&
                note->left.size() == set_octets(desk_.routes.partitions()))
                notes.push_back(std::move(*note));
            else
                desk_.log(Severity::error, "a job's note cannot be read, and is not gone on with");
            return true;
        });
    if (!scanned) return scanned;
    jobs_.clear();
    for (Note& note : notes) {
        Job& job = jobs_[note.share.id];
        job.share = std::move(note.share);
        job.began = job.rests_until = desk_.now.instant;
        job.noted = true;
        for (std::uint16_t at = 0; at < desk_.routes.partitions(); ++at)
            if (is_in(note.left, at)) job.left[at];
        settle(job);
    }
    return {};
}

Result<void> Jobs::note(Job& job) {
    Note note{job.share, set_of_keys(job.left, desk_.routes.partitions())};
    note.share.waits = JobWaits::no;
    auto put = desk_.storage.put(Table::notes(), row_of(job.share.id),
                                 wire::encode_message(note, wire::Style::array));
    job.noted = put.has_value();
    return put;
}

void Jobs::note_or_log(Job& job) {
    if (const auto noted = note(job); !noted)
        desk_.log(Severity::error,
                  "job " + job.share.id + " cannot be noted: " + noted.error().message);
}

void Jobs::rolled_back() {
    // Passes that ended in this step did not, and which of the others did is not noted.
    unread_ = true;
    next_try_ = desk_.now.instant;
}

void Jobs::on_ring() {
    if (unread_) return;  // it is followed when they are read
    for (auto& [id, job] : jobs_) {
        if (!is_open(job.share)) continue;
        settle(job);
        note_or_log(job);
    }
}

void Jobs::given_up() {
    for (auto& [id, job] : jobs_)
        for (auto& [partition, owners] : job.left) owners.clear();
}

void Jobs::settle(Job& job) const {
    if (!is_open(job.share)) return;
    for (auto at = job.left.begin(); at != job.left.end();) {
        const auto owners = desk_.routes.owners(at->first);
        std::erase_if(at->second, [&](const NodeId& owner) {
            return std::ranges::find(owners, owner) == owners.end();
        });
        const bool whole = !desk_.routes.is_owner(desk_.self(), at->first) ||
                           at->second.size() + 1 >= owners.size() ||
                           (desk_.breaks(Mutant::job_asks_one_owner) && !at->second.empty());
        at = whole ? job.left.erase(at) : std::next(at);
    }
    std::uint64_t open = 0;
    for (const auto& [partition, owners] : job.left)
        open += desk_.routes.owners(partition).size() - 1 - owners.size();
    job.share.compared = job.share.pairs - std::min(open, job.share.pairs);
    if (job.left.empty()) job.share.state = JobState::done;
}

void Jobs::tick() {
    if (desk_.now.instant < next_try_) return;
    next_try_ = desk_.now.instant + between_looks;
    if (unread_) {
        if (const auto read = read_notes(); !read) {
            desk_.log(Severity::error, "jobs cannot be read: " + read.error().message);
            return;
        }
        unread_ = false;
    }
    for (auto& [id, job] : jobs_)
        if (!job.noted) note_or_log(job);
}

Instant Jobs::wake_at() const {
    const bool due = unread_ || std::ranges::any_of(
                                    jobs_, [](const auto& entry) { return !entry.second.noted; });
    return due ? next_try_ : Instant::max();
}

// ------------------------------------------------------------------------------------------
// what an operator wants

Result<wire::JobReply> Jobs::on(const wire::JobRequest& request) {
    if (!is_id(request.id))
        return fail(Code::bad_request, "a job's id has 1 to " + std::to_string(longest_id) +
                                           " small letters and digits");
    if (unread_) return fail(Code::busy, "its notes of jobs cannot be read at present");
    auto known = jobs_.find(request.id);
    if (known == jobs_.end() && request.action == JobAction::begin) {
        if (auto begun = begin(request); !begun) return std::unexpected(begun.error());
        known = jobs_.find(request.id);
    } else if (known == jobs_.end()) {
        return fail(Code::bad_request, "it knows no job " + request.id);
    } else if (auto steered = steer(known->second, request.action); !steered) {
        return std::unexpected(steered.error());
    }
    return wire::JobReply{told(known->second)};
}

Result<void> Jobs::begin(const wire::JobRequest& request) {
    const std::uint16_t partitions = desk_.routes.partitions();
    if (request.partitions.size() != set_octets(partitions))
        return fail(Code::bad_request, "the partitions of a job are " +
                                           std::to_string(set_octets(partitions)) + " octets here");
    if (request.scope.size() > longest_scope || !is_printable(request.scope))
        return fail(Code::bad_request, "the scope of a job is a line of at most " +
                                           std::to_string(longest_scope) + " octets");
    if (!are_sound(request))
        return fail(Code::bad_request, "the hours or the rate of the job are out of range");
    const auto open =
        std::ranges::count_if(jobs_, [](const auto& entry) { return is_open(entry.second.share); });
    if (static_cast<std::size_t>(open) >= most_open)
        return fail(Code::busy, std::to_string(most_open) + " jobs are open here; cancel one");

    Job job;
    job.share.id = request.id;
    job.share.scope = request.scope;
    job.share.began_ms = request.began_ms;
    static_cast<wire::JobTerms&>(job.share) = request;
    job.began = job.rests_until = desk_.now.instant;
    for (const std::uint16_t partition : desk_.routes.owned_by(desk_.self())) {
        if (!is_in(request.partitions, partition)) continue;
        job.left[partition];
        job.share.pairs += desk_.routes.owners(partition).size() - 1;
    }
    settle(job);
    if (auto noted = note(job); !noted) return noted;
    desk_.outbox.sync = true;
    desk_.log(Severity::info, "job " + request.id + " compares " + std::to_string(job.share.pairs) +
                                  " pairs of copies");
    jobs_.emplace(request.id, std::move(job));
    forget_oldest();
    return {};
}

Result<void> Jobs::steer(Job& job, JobAction action) {
    if (!is_open(job.share)) return {};
    const JobState before = job.share.state;
    if (action == JobAction::pause) job.share.state = JobState::paused;
    if (action == JobAction::resume) job.share.state = JobState::running;
    if (action == JobAction::cancel) job.share.state = JobState::cancelled;
    if (job.share.state == before) return {};
    desk_.outbox.sync = true;
    auto noted = note(job);
    if (!noted) job.share.state = before;
    return noted;
}

wire::JobsReply Jobs::list() const {
    wire::JobsReply reply;
    for (const auto& [id, job] : jobs_) reply.shares.push_back(told(job));
    std::ranges::stable_sort(reply.shares, std::ranges::greater{}, &JobShare::began_ms);
    return reply;
}

JobShare Jobs::told(const Job& job) const {
    JobShare share = job.share;
    if (share.state != JobState::running) return share;
    share.waits = held_by(job);
    if (share.waits != JobWaits::no) return share;
    std::set<NodeId> away;
    for (const auto& [partition, compared] : job.left)
        for (const NodeId& owner : desk_.routes.owners(partition)) {
            if (owner == desk_.self() || compared.contains(owner)) continue;
            if (liveness_.healthy(owner)) return share;
            away.insert(owner);
        }
    share.waits = JobWaits::for_owners;
    for (const NodeId& owner : away) share.away.emplace_back(owner.bytes());
    return share;
}

/// Of those that have ended.
void Jobs::forget_oldest() {
    std::vector<std::pair<std::int64_t, std::string>> ended;
    for (const auto& [id, job] : jobs_)
        if (!is_open(job.share)) ended.emplace_back(job.share.began_ms, id);
    std::ranges::sort(ended);
    for (std::size_t at = 0; at + most_ended < ended.size(); ++at) {
        if (!desk_.storage.erase(Table::notes(), row_of(ended[at].second))) return;
        jobs_.erase(ended[at].second);
    }
}

// ------------------------------------------------------------------------------------------
// what exchanges do for it

JobWaits Jobs::held_by(const Job& job) const {
    const wire::JobTerms& terms = job.share;
    if (!contain(terms, desk_.now.wall_ms)) return JobWaits::for_hours;
    if (terms.pause_us > 0 && desk_.budget.pace(desk_.now.instant).p99_us > terms.pause_us)
        return JobWaits::for_latency;
    return JobWaits::no;
}

Instant Jobs::ready_at() const {
    Instant first = Instant::max();
    if (unread_) return first;
    for (const auto& [id, job] : jobs_)
        if (job.share.state == JobState::running) first = std::min(first, job.rests_until);
    return first;
}

void Jobs::rest_until(Instant then) {
    for (auto& [id, job] : jobs_) job.rests_until = std::max(job.rests_until, then);
}

std::optional<Jobs::Turn> Jobs::next() {
    if (unread_) return std::nullopt;
    const Instant now = desk_.now.instant;
    for (auto& [id, job] : jobs_) {
        if (job.share.state != JobState::running || job.rests_until > now) continue;
        if (held_by(job) == JobWaits::no)
            if (auto turn = next_of(job)) return turn;
        job.rests_until = now + between_looks;
    }
    return std::nullopt;
}

std::optional<Jobs::Turn> Jobs::next_of(Job& job) const {
    auto at = job.left.lower_bound(job.at);
    for (std::size_t looked = 0; looked < job.left.size(); ++looked, ++at) {
        if (at == job.left.end()) at = job.left.begin();
        const auto owners = desk_.routes.owners(at->first);
        for (std::size_t i = 0; i < owners.size(); ++i) {
            const NodeId& owner = owners[(job.failures + i) % owners.size()];
            if (owner == desk_.self() || at->second.contains(owner) || !liveness_.healthy(owner))
                continue;
            job.at = at->first;
            return Turn{job.share.id, at->first, owner};
        }
    }
    return std::nullopt;
}

void Jobs::compared(std::uint16_t partition, const NodeId& partner, Instant began) {
    if (unread_) return;  // what is here may count passes that were undone
    for (auto& [id, job] : jobs_) {
        if (!is_open(job.share) || began <= job.began) continue;
        const auto at = job.left.find(partition);
        if (at == job.left.end() || !at->second.insert(partner).second) continue;
        const std::size_t left = job.left.size();
        settle(job);
        if (job.left.size() < left) note_or_log(job);
        if (job.share.state == JobState::done)
            desk_.log(Severity::info, "job " + id + " is done: of " +
                                          std::to_string(job.share.pairs) + " pairs of copies " +
                                          std::to_string(job.share.different) +
                                          " records differed");
    }
}

void Jobs::moved(const std::string& id, std::size_t records, std::size_t octets) {
    const auto at = jobs_.find(id);
    if (at == jobs_.end()) return;
    Job& job = at->second;
    job.share.different += records;
    job.share.octets += octets;
    if (job.share.rate == 0 || records == 0) return;
    job.rests_until =
        desk_.now.instant + std::chrono::microseconds(records * 1'000'000 / job.share.rate);
}

void Jobs::failed(const std::string& id, std::uint16_t partition) {
    const auto at = jobs_.find(id);
    if (at == jobs_.end()) return;
    ++at->second.failures;
    at->second.at = static_cast<std::uint16_t>(partition + 1);
    at->second.rests_until = std::max(at->second.rests_until, desk_.now.instant + after_failure);
}

bool Jobs::may_go_on(const std::string& id) {
    const auto at = jobs_.find(id);
    return at != jobs_.end() && at->second.share.state == JobState::running &&
           held_by(at->second) == JobWaits::no;
}

Instant Jobs::rests_until(const std::string& id) const {
    const auto at = jobs_.find(id);
    return at == jobs_.end() ? desk_.now.instant : at->second.rests_until;
}

}  // namespace dynamo
