#include "cli/bench/worker.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

namespace dynamo::cli {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr milliseconds longest_wait{100};  // so that Ctrl-C is heeded
// How long the closed loop waits after a failure: without a cluster it would only count how fast
// nothing can be done, and take the processor from nodes that come back.
constexpr std::int64_t rest = 10'000'000;
// The numbers of a client's writes begin with its own.
constexpr unsigned number_bits = 40;

Ending ending_of(const Result<Stored>& stored) {
    return stored                                  ? Ending::acknowledged
           : stored.error().applied == Applied::no ? Ending::refused
                                                   : Ending::unknown;
}

}  // namespace

std::string key_of(const Settings& settings, std::uint64_t number) {
    char digits[20];
    char* const end = std::to_chars(std::begin(digits), std::end(digits), number).ptr;
    std::string key;
    key.reserve(settings.prefix.size() + sizeof digits);
    return key.append(settings.prefix).append(std::begin(digits), end);
}

Worker::Worker(const Settings& settings, const Values& values, std::uint64_t run, unsigned number,
               Ledger* ledger, Board& board)
    : settings_(settings),
      values_(values),
      run_(run),
      ledger_(ledger),
      board_(board),
      dice_(settings.random_seed + number),
      chooser_(settings.zipf ? KeyChooser::zipf(settings.keys, settings.theta)
                             : KeyChooser::uniform(settings.keys)),
      slots_((settings.in_flight + settings.clients - 1) / settings.clients),
      last_number_(static_cast<std::uint64_t>(number + 1) << number_bits) {}

Result<void> Worker::open() {
    auto client = Client::open(settings_.client);
    if (!client) {
        return std::unexpected(client.error());
    }
    client_.emplace(std::move(*client));
    return {};
}

// ------------------------------------------------------------------------------------- the clock

bool Worker::over(std::int64_t now) const {
    return board_.stop.load(std::memory_order_relaxed) || begun_ >= phase_.count ||
           now >= phase_.until;
}

std::uint64_t Worker::due(std::int64_t now) const {
    const auto passed = static_cast<double>(std::min(now, phase_.until) - phase_.begin);
    return std::min(phase_.count, static_cast<std::uint64_t>(std::ceil(passed / phase_.interval)));
}

void Worker::run(const Phase& phase) {
    phase_ = phase;
    begun_ = 0;
    idle_.clear();
    for (unsigned slot = 0; slot < slots_.size(); ++slot) {
        idle_.push_back(slot);
    }
    start_due();
    while (idle_.size() < slots_.size() || !over(clock_now())) {
        wait();
        start_due();
        if (board_.tick.load(std::memory_order_relaxed) != seen_tick_) {
            hand_over(false);
        }
    }
    hand_over(true);
}

void Worker::start_due() {
    if (idle_.empty() && resting_.empty() && phase_.interval == 0) {
        return;
    }
    const std::int64_t now = clock_now();
    for (; !resting_.empty() && resting_.front().until <= now; resting_.pop_front()) {
        idle_.push_back(resting_.front().slot);
    }
    const bool open = phase_.interval > 0;
    const std::uint64_t wanted = open ? due(now) : phase_.count;
    while (!idle_.empty() && begun_ < wanted && !over(now)) {
        const unsigned slot = idle_.back();
        idle_.pop_back();
        const double offset = static_cast<double>(begun_) * phase_.interval;
        start(slot, open ? phase_.begin + static_cast<std::int64_t>(offset) : now);
    }
    if (open && !board_.stop.load(std::memory_order_relaxed)) {
        const std::uint64_t behind = wanted - begun_;
        const std::uint64_t all =
            board_.backlog.fetch_add(behind - told_backlog_) + behind - told_backlog_;
        told_backlog_ = behind;
        std::uint64_t most = board_.most_backlog.load();
        while (all > most && !board_.most_backlog.compare_exchange_weak(most, all)) {
        }
    }
}

void Worker::wait() {
    const std::int64_t now = clock_now();
    if (!resting_.empty()) {
        client_->poll(milliseconds(1));
        return;
    }
    if (phase_.interval == 0 || idle_.empty() || over(now)) {
        client_->poll(longest_wait);
        return;
    }
    const double offset = static_cast<double>(begun_) * phase_.interval;
    const std::int64_t gap = phase_.begin + static_cast<std::int64_t>(offset) - now;
    // A wait of milliseconds is rounded up: the last one is waited for by itself.
    const milliseconds whole{std::max<std::int64_t>(gap / 1'000'000, 0)};
    client_->poll(whole.count() > 0 ? std::min(whole, longest_wait)
                                    : microseconds(std::max<std::int64_t>(gap / 1000, 0)));
}

void Worker::hand_over(bool last) {
    const std::lock_guard lock(board_.mutex);
    seen_tick_ = board_.tick.load(std::memory_order_relaxed);
    board_.tally.add(std::exchange(tally_, {}));
    board_.last_end = std::max(board_.last_end, last_end_);
    if (last) {
        --board_.active;
        board_.changed.notify_all();
    }
}

// --------------------------------------------------------------------------------- one operation

void Worker::start(unsigned slot, std::int64_t intended) {
    Slot& it = slots_[slot];
    it.intended = intended;
    it.counts = intended >= phase_.measure_from;
    if (phase_.kind != Phase::Kind::mix) {
        it.key = phase_.first + begun_++ % (phase_.last - phase_.first);
        put(slot, PutMode::observe, {});
        return;
    }
    ++begun_;
    it.key = chooser_.next(dice_);
    if (dice_() % 100 < settings_.reads_percent) {
        it.step = Step::get;
        get(slot);
    } else if (settings_.put_mode == PutMode::context) {
        it.step = Step::get_for_put;
        get(slot);
    } else {
        put(slot, settings_.put_mode, {});
    }
}

void Worker::get(unsigned slot) {
    client_->get_async(key_of(settings_, slots_[slot].key), {.r = settings_.r},
                       [this, slot](const Result<Got>& got) { on_got(slot, got); });
}

void Worker::put(unsigned slot, PutMode mode, const ContextToken& context) {
    Slot& it = slots_[slot];
    it.step = Step::put;
    it.number = ++last_number_;
    if (ledger_) {
        ledger_->begin(it.key, {it.number, clock_now(), mode,
                                mode == PutMode::context ? it.seen : std::vector<std::uint64_t>{}});
    }
    const bool observes = mode == PutMode::observe;
    const PutOptions options{.mode = mode,
                             .context = context,
                             .w = settings_.w,
                             .observe_r = observes ? settings_.observe_r : 0,
                             .overwrite = observes};
    client_->put_async(key_of(settings_, it.key), values_.make({run_, it.number, it.key}, dice_),
                       options,
                       [this, slot](const Result<Stored>& stored) { on_stored(slot, stored); });
}

void Worker::count(OpTally& ops, const Slot& slot, std::int64_t now) {
    if (slot.counts) {
        ops.latency.record(
            static_cast<std::uint64_t>(std::max<std::int64_t>(now - slot.intended, 0)));
        tally_.in_time += now <= phase_.until ? 1 : 0;
    }
}

void Worker::on_got(unsigned slot, const Result<Got>& got) {
    Slot& it = slots_[slot];
    const std::int64_t now = clock_now();
    if (!got) {
        return fail(slot, tally_.gets, got.error(), now);
    }
    count(tally_.gets, it, now);
    look_at(it, *got);
    if (it.step == Step::get_for_put) {
        it.intended = now;
        return put(slot, PutMode::context, got->context);
    }
    finish(slot, now);
}

void Worker::look_at(Slot& slot, const Got& got) {
    if (ledger_) {
        check_versions(slot, got);
    }
    if (!slot.counts) {
        return;
    }
    const std::size_t versions = got.versions.size();
    tally_.absent += versions == 0 ? 1 : 0;
    tally_.with_siblings += versions > 1 ? 1 : 0;
    tally_.most_siblings = std::max<std::uint64_t>(tally_.most_siblings, versions);
    if (slot.step == Step::get_after_put) {
        tally_.stale += std::ranges::find(slot.seen, slot.number) == slot.seen.end() ? 1 : 0;
    }
}

void Worker::check_versions(Slot& slot, const Got& got) {
    slot.seen.clear();
    for (const Version& version : got.versions) {
        if (version.tombstone) {
            continue;
        }
        const auto stamp = values_.read(version.value);
        if (!stamp || stamp->key != slot.key) {
            ++tally_.damaged;
        } else if (stamp->run == run_) {
            slot.seen.push_back(stamp->number);
        }
    }
}

void Worker::on_stored(unsigned slot, const Result<Stored>& stored) {
    Slot& it = slots_[slot];
    const std::int64_t now = clock_now();
    if (ledger_) {
        ledger_->end(it.key, it.number, ending_of(stored), now);
    }
    if (!stored) {
        return fail(slot, tally_.puts, stored.error(), now);
    }
    count(tally_.puts, it, now);
    if (phase_.kind == Phase::Kind::canary) {
        it.step = Step::get_after_put;
        it.intended = now;
        return get(slot);
    }
    finish(slot, now);
}

void Worker::fail(unsigned slot, OpTally& ops, const Error& error, std::int64_t now) {
    if (slots_[slot].counts) {
        ops.fail(error);
    }
    last_end_ = now;
    if (phase_.interval == 0) {
        resting_.push_back({now + rest, slot});
    } else {
        idle_.push_back(slot);
    }
}

void Worker::finish(unsigned slot, std::int64_t now) {
    last_end_ = now;
    if (phase_.interval == 0 && !over(now)) {
        start(slot, now);
    } else {
        idle_.push_back(slot);
    }
}

}  // namespace dynamo::cli
