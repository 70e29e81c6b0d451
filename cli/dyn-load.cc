// dyn-load: merges a dump into a cluster, superseding nothing that is newer.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/common/interrupt.h"
#include "cli/common/options.h"
#include "cli/common/spec.h"
#include "cli/dump/input.h"
#include "cli/dump/resume.h"
#include "cli/dump/window.h"
#include "dynamo/state.h"

namespace dynamo::cli {
namespace {

/// The store took the record for what it is and refused it; others may fare better.
bool is_of_the_record(Code code) {
    return code == Code::bad_request || code == Code::too_large || code == Code::object_full ||
           code == Code::refused;
}

class LoadTool {
  public:
    Spec spec();

  private:
    void build(App& app);
    int run();
    [[nodiscard]] std::string source() const { return operands_.empty() ? "-" : operands_[0].text; }
    [[nodiscard]] Result<void> verify_first(const DumpInput& input);
    [[nodiscard]] Result<void> load(Client& client, DumpInput& input, ResumeNote& note);
    [[nodiscard]] Result<void> pump(Client& client, DumpInput& input, ResumeNote& note);
    [[nodiscard]] Result<void> begin(Client& client, DumpRecord record, std::string root,
                                     const ResumeNote& note);
    [[nodiscard]] Result<void> take_answers(ResumeNote& note);
    [[nodiscard]] Result<void> end(const Result<bool>& answer, const std::string& key,
                                   std::uint64_t number);
    [[nodiscard]] Result<void> drain(Client& client, ResumeNote& note);
    [[nodiscard]] std::chrono::milliseconds time_to_next() const;
    [[nodiscard]] std::string how_far() const;
    [[nodiscard]] int summarise(const DumpInput& input) const;

    CommonOptions common_{"dyn-load"};
    std::vector<Operand> operands_;
    unsigned w_ = 0;
    bool dry_run_ = false;
    bool verify_ = false;
    unsigned max_rate_ = 0;
    std::string resume_;

    Window<Merged> merging_;
    Window<KeyState> reading_;  ///< with --dry-run
    Progress progress_;
    std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
    std::uint64_t begun_records_ = 0;
    std::uint64_t passed_ = 0;  ///< loaded by an earlier run
    std::uint64_t merged_ = 0;
    std::uint64_t changed_ = 0;
    std::uint64_t failed_ = 0;
    std::uint64_t done_ = 0;         ///< records up to this one are over
    std::string done_root_;          ///< their root
    std::deque<std::string> roots_;  ///< of the records that are not, each with those before it
    std::optional<Error> stopped_;   ///< why no more are begun
    std::string stopped_key_;
};

Spec LoadTool::spec() {
    return {
        .name = "dyn-load",
        .brief = "merge a dump into the cluster",
        .about =
            "Each record is merged into its key: newer data stays, siblings stay siblings, what "
            "was deleted stays deleted, and loading twice changes nothing. Any cluster will do. A "
            "dump that is damaged or cut off is refused by the number of the record; a file is "
            "checked to its end before anything is loaded.",
        .build = [this](App& app) { build(app); },
        .examples = {{"dyn-load monday.dump", "Put a backup back."},
                     {"dyn-load --dry-run monday.dump", "Say which keys it would change."},
                     {"gzip -dc monday.dump.gz | dyn-load", "Load from a pipe."},
                     {"dyn-load --resume load.note --max-rate 500 monday.dump",
                      "Load slowly; run it again to go on."}},
        .exits = with_failures(
            {{exits::done, "all of the dump is in the cluster"},
             {exits::no, "with --dry-run: it would change something"},
             {exits::partial,
              "some records were refused, or the dump says that it lacks some, or interrupted"},
             {exits::server, "the dump is damaged or cut off, or a node's storage failed"}}),
    };
}

void LoadTool::build(App& app) {
    app.operands({.name = "FILE",
                  .help = "a dump of dyn-dump; standard input when not given, or -",
                  .least = 0,
                  .most = 1},
                 operands_);
    app.option({.letter = "-w",
                .name = "",
                .help = "how many replicas must hold each record durably; the cluster's W when not "
                        "given",
                .value = "N"},
               w_);
    app.flag({.letter = "",
              .name = "--dry-run",
              .help = "read the keys and print those that would change, and load nothing"},
             dry_run_)
        .excludes = {"-w", "--resume"};
    app.flag({.letter = "",
              .name = "--verify",
              .help = "check the dump, and ask no cluster anything"},
             verify_)
        .excludes = {"-w", "--resume", "--dry-run", "--max-rate"};
    app.option({.letter = "",
                .name = "--resume",
                .help = "note in this file how far it is, and go on from what it says; it is gone "
                        "when all is loaded",
                .value = "FILE"},
               resume_);
    app.option({.letter = "",
                .name = "--max-rate",
                .help = "records to load in a second, at most",
                .value = "N"},
               max_rate_);
    common_.declare(app, {.formats = {"human", "json"},
                          .format_help = "how to print the summary",
                          .keys = true,
                          .lists = true});
    app.action([this] { return run(); });
}

/// A file is read to its end before anything is loaded from it; of a pipe that cannot be.
Result<void> LoadTool::verify_first(const DumpInput& input) {
    if (source() == "-" || !input.source().octets_total()) {
        return {};
    }
    auto same = DumpInput::open(source());
    if (!same) {
        return std::unexpected(same.error());
    }
    return same->verify(progress_);
}

std::chrono::milliseconds LoadTool::time_to_next() const {
    using std::chrono::milliseconds;
    if (max_rate_ == 0) {
        return milliseconds(0);
    }
    const auto due = begun_ + std::chrono::microseconds(begun_records_ * 1'000'000 / max_rate_);
    return std::max(std::chrono::ceil<milliseconds>(due - std::chrono::steady_clock::now()),
                    milliseconds(0));
}

/// `root`: of the records up to this one.
Result<void> LoadTool::begin(Client& client, DumpRecord record, std::string root,
                             const ResumeNote& note) {
    if (record.number <= note.done()) {
        passed_ = done_ = record.number;
        if (done_ == note.done() && root != note.root()) {
            return fail(Code::bad_request, "the note in " + resume_ +
                                               " is of another dump; remove it to load this one "
                                               "from its beginning");
        }
        return {};
    }
    ++begun_records_;
    roots_.push_back(std::move(root));
    if (dry_run_) {
        auto take = reading_.open({record.number, record.key, std::move(record.state), {}});
        client.state_async(std::move(record.key), 0, std::move(take));
    } else {
        auto take = merging_.open({record.number, record.key, {}, {}});
        client.merge_async(std::move(record.key), std::move(record.state), w_, std::move(take));
    }
    return {};
}

/// Begins what is here as far as there is room for it, and waits a little for answers.
Result<void> LoadTool::pump(Client& client, DumpInput& input, ResumeNote& note) {
    using std::chrono::milliseconds;
    const auto full = [this] { return !merging_.has_room() || !reading_.has_room(); };
    const auto idle = [this] { return merging_.empty() && reading_.empty(); };
    auto pause = milliseconds(1);
    while (!full()) {
        const auto until_due = time_to_next();
        if (until_due.count() > 0) {
            pause = until_due;
            break;
        }
        // A slow writer of the dump must not keep answers waiting, nor the other way round.
        auto record = input.next(milliseconds(idle() ? 100 : 0));
        if (!record) {
            return std::unexpected(record.error());
        }
        if (!*record) {
            break;
        }
        if (const auto begun = begin(client, std::move(**record), input.root(), note); !begun) {
            return begun;
        }
    }
    if (full()) {
        pause = milliseconds(50);
    }
    if (!idle() || time_to_next().count() > 0) {
        client.poll(std::min(pause, milliseconds(50)));
    }
    return take_answers(note);
}

/// What became of a record. An error when no other will fare better.
Result<void> LoadTool::end(const Result<bool>& answer, const std::string& key,
                           std::uint64_t number) {
    if (!answer && !is_of_the_record(answer.error().code)) {
        return std::unexpected(answer.error());
    }
    if (!answer) {
        ++failed_;
        progress_.clear();
        common_.reporter().error(answer.error(),
                                 fmt::format("record {}, {}", number, common_.key_text(key)));
    } else {
        ++merged_;
        changed_ += *answer ? 1 : 0;
        if (dry_run_ && *answer && !write_out(common_.key_text(key) + common_.separator())) {
            return fail(Code::internal, "nobody reads the output any more");
        }
    }
    done_ = number;
    if (!roots_.empty()) {
        done_root_ = std::move(roots_.front());
    }
    return {};
}

/// In the order of the records: up to the first that failed for good all are in the cluster.
Result<void> LoadTool::take_answers(ResumeNote& note) {
    const auto take_one = [&](auto& window, const auto& changes) {
        auto slot = window.take();
        if (slot && !stopped_) {
            const auto answer = !*slot->answer
                                    ? Result<bool>(std::unexpected(slot->answer->error()))
                                    : changes(*slot);
            if (const auto ended = end(answer, slot->key, slot->number); !ended) {
                stopped_ = ended.error();
                stopped_key_ = slot->key;
            }
        }
        if (slot) {
            roots_.pop_front();
        }
        return slot.has_value();
    };
    while (take_one(merging_,
                    [](const auto& slot) { return Result<bool>((**slot.answer).changed); }) ||
           take_one(reading_,
                    [](const auto& slot) { return would_change(**slot.answer, slot.given); })) {
    }
    return note.note(done_, done_root_, false);
}

Result<void> LoadTool::drain(Client& client, ResumeNote& note) {
    Result<void> taken = take_answers(note);
    while (taken && !(merging_.empty() && reading_.empty())) {
        client.poll(std::chrono::milliseconds(50));
        taken = take_answers(note);
    }
    return taken ? note.note(done_, done_root_, true) : taken;
}

Result<void> LoadTool::load(Client& client, DumpInput& input, ResumeNote& note) {
    Result<void> went;
    while (went && !stopped_ && !interrupted() && !input.at_end()) {
        went = pump(client, input, note);
        progress_.show(done_, failed_, input.source().share_read());
    }
    // What has been sent is answered, whatever is wrong with what follows it.
    const auto drained = drain(client, note);
    progress_.clear();
    return went ? drained : went;
}

int LoadTool::summarise(const DumpInput& input) const {
    const auto& tail = input.tail();
    const bool whole = tail && tail->complete();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begun_;
    if (common_.json()) {
        nlohmann::ordered_json object = {{"schema", common_.reporter().schema()},
                                         {"records", input.records()},
                                         {"root", input.root()},
                                         {"merged", dry_run_ ? 0 : merged_},
                                         {dry_run_ ? "would_change" : "changed", changed_},
                                         {"failed", failed_},
                                         {"passed_over", passed_},
                                         {"dump_complete", whole},
                                         {"seconds", seconds.count()}};
        // With --dry-run standard output holds the keys.
        const std::string line = dumped(object) + "\n";
        dry_run_ ? write_error(line) : static_cast<void>(write_out(line));
    } else {
        std::string text =
            verify_    ? fmt::format("{} records, root {}: sound", input.records(),
                                     input.root().substr(0, 16))
            : dry_run_ ? fmt::format("{} of {} records would change something", changed_, merged_)
                       : fmt::format("{} records merged, {} changed something, {} failed", merged_,
                                     changed_, failed_);
        text += passed_ > 0 ? fmt::format(", {} loaded before", passed_) : "";
        text += fmt::format(", in {:.1f} s", seconds.count());
        if (tail && !whole) {
            text += fmt::format(
                "; the dump itself is NOT complete: {} keys and {} partitions "
                "could not be read for it",
                tail->unread_keys, tail->unread_partitions);
        }
        common_.reporter().remark(text);
    }
    if (failed_ > 0 || !whole) {
        return exits::partial;
    }
    return dry_run_ && changed_ > 0 ? exits::no : exits::done;
}

/// For a load that has ended before the dump has.
std::string LoadTool::how_far() const {
    if (dry_run_) {
        return "";
    }
    if (done_ == 0) {
        return "nothing was loaded";
    }
    return fmt::format("{} records are loaded{}", done_,
                       resume_.empty() ? "" : "; run it again to go on");
}

int LoadTool::run() {
    const Reporter reporter = common_.reporter();
    if (source() == "-" && ::isatty(STDIN_FILENO) == 1) {
        return reporter.usage(Error{Code::bad_request,
                                    "name a dump, or send one to standard "
                                    "input"});
    }
    catch_interrupt();
    auto note = ResumeNote::open(resume_);
    if (!note) {
        return reporter.error(note.error());
    }
    auto input = DumpInput::open(source());
    if (!input) {
        return reporter.error(input.error());
    }
    if (verify_) {
        const auto verified = input->verify(progress_);
        progress_.clear();
        return verified ? summarise(*input) : reporter.error(verified.error());
    }
    const auto verified = verify_first(*input);
    progress_.clear();
    if (!verified) {
        return reporter.error(verified.error(), {}, "nothing was loaded");
    }
    begun_ = std::chrono::steady_clock::now();
    const auto with = common_.open_with_ring();
    if (!with) {
        return reporter.error(with.error());
    }
    if (w_ > with->ring.copies) {
        return reporter.error(
            Error{Code::bad_request,
                  fmt::format("-w is {}, but this cluster keeps {} copies of a key (N)", w_,
                              with->ring.copies)});
    }
    auto client = common_.open_client();
    if (!client) {
        return reporter.error(client.error());
    }
    const auto loaded = load(*client, *input, *note);
    const std::string further = how_far();
    if (!loaded) {
        return reporter.error(loaded.error(), {}, further);
    }
    if (stopped_) {
        return reporter.error(*stopped_, common_.key_text(stopped_key_), further);
    }
    if (interrupted()) {
        reporter.remark("interrupted" + (further.empty() ? "" : "; " + further));
        return exits::partial;
    }
    if (note->done() > input->records()) {
        return reporter.error(
            Error{Code::bad_request, "the note in " + resume_ + " is of another, longer dump"});
    }
    if (const auto forgotten = note->forget(); !forgotten) {
        return reporter.error(forgotten.error());
    }
    return summarise(*input);
}

}  // namespace
}  // namespace dynamo::cli

int main(int count, char** words) {
    dynamo::cli::LoadTool tool;
    return dynamo::cli::run_tool(tool.spec(), count, words);
}
