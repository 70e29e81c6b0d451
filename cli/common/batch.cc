#include "cli/common/batch.h"

#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/common/interrupt.h"

namespace dynamo::cli {
namespace {

// A value of the largest usual limit, escaped octet by octet, still fits.
constexpr std::size_t longest_line = 16u << 20;
constexpr std::size_t most_octets = 64u << 20;

}  // namespace

Outcome failed_item(const Line& line, const std::string& key, const Error& error) {
    nlohmann::ordered_json object;
    if (key.empty()) {
        object["line"] = line.number;
    } else {
        put_octets(object, "key", key);
    }
    object["error"] = error_fields(error);
    return {dumped(object), true, false, false};
}

bool Batch::has_room() const {
    // Items that are done but wait for an earlier one are held as well.
    const std::size_t most_held = std::size_t{4} * settings_.in_flight;
    return running_ < settings_.in_flight && slots_.size() < most_held && octets_ < most_octets;
}

void Batch::begin(Client& client, const Line& line, const Start& start) {
    const std::uint64_t number = first_slot_ + slots_.size();
    slots_.push_back({line.text.size(), std::nullopt});
    octets_ += line.text.size();
    ++running_;
    last_line_ = line.number;
    start(client, line, [this, number](Outcome outcome) {
        Slot& slot = slots_[number - first_slot_];
        octets_ -= slot.octets;
        slot.octets = outcome.line ? outcome.line->size() : 0;
        octets_ += slot.octets;
        failed_ += outcome.failed ? 1 : 0;
        absent_ += outcome.absent ? 1 : 0;
        conflicts_ += outcome.conflict ? 1 : 0;
        done_ += outcome.failed ? 0 : 1;
        slot.outcome = std::move(outcome);
        --running_;
    });
}

void Batch::print_finished() {
    std::string out;
    while (!slots_.empty() && slots_.front().outcome) {
        if (const auto& line = slots_.front().outcome->line) {
            out += *line + "\n";
        }
        octets_ -= slots_.front().octets;
        slots_.pop_front();
        ++first_slot_;
    }
    if (!out.empty()) {
        write_out(out);
    }
}

Result<void> Batch::pump(Client& client, LineReader& reader, const Start& start) {
    using std::chrono::milliseconds;
    while (has_room()) {
        const auto line = reader.next();
        if (!line) {
            break;
        }
        begin(client, *line, start);
    }
    if (has_room() && !reader.at_end()) {
        // A slow writer of the list must not keep answers waiting, nor the other way round.
        if (const auto filled = reader.fill(milliseconds(running_ > 0 ? 0 : 100)); !filled) {
            return filled;
        }
        client.poll(milliseconds(0));
        if (running_ > 0 && has_room()) {
            client.poll(milliseconds(1));
        }
        return {};
    }
    if (running_ > 0) {
        client.poll(milliseconds(50));
    }
    return {};
}

int Batch::run(const Start& start) {
    auto reader = LineReader::open(settings_.source, common_.separator(), longest_line);
    if (!reader) {
        return common_.reporter().error(reader.error(), "--batch");
    }
    ClientOptions options = common_.client_options();
    options.resend_unknown = settings_.resend_unknown;
    auto client = Client::open(options);
    if (!client) {
        return common_.reporter().error(client.error());
    }
    catch_interrupt();
    Progress progress;
    const auto begun = std::chrono::steady_clock::now();
    Result<void> pumped;
    const auto limit_line = [&](Client& to, const Line& line, Finish finish) {
        if (line.too_long) {
            finish(failed_item(line, "", Error{Code::too_large, "the line is over 16 MiB"}));
        } else {
            start(to, line, std::move(finish));
        }
    };
    while (pumped && !interrupted() && !reader->at_end()) {
        pumped = pump(*client, *reader, limit_line);
        print_finished();
        progress.show(done_, failed_, reader->share_read());
    }
    while (running_ > 0) {
        client->poll(std::chrono::milliseconds(50));
        print_finished();
        progress.show(done_, failed_, std::nullopt);
    }
    print_finished();
    progress.clear();
    if (!pumped) {
        common_.reporter().error(pumped.error());
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begun;
    const int exit = summarise(seconds.count(), interrupted());
    return pumped ? exit : exits::partial;
}

int Batch::summarise(double seconds, bool stopped) const {
    const double rate = seconds > 0 ? static_cast<double>(done_) / seconds : 0;
    if (common_.format_given() && common_.json()) {
        const nlohmann::ordered_json object = {
            {"schema", "dyn.batch/1"}, {"done", done_},           {"failed", failed_},
            {"absent", absent_},       {"conflicts", conflicts_}, {"last_line", last_line_},
            {"interrupted", stopped},  {"seconds", seconds},      {"rate", rate}};
        write_error(dumped(object) + "\n");
    } else {
        std::string text = fmt::format("{} {}", done_, settings_.verb);
        text += absent_ > 0 ? fmt::format(" ({} absent)", absent_) : "";
        text += conflicts_ > 0 ? fmt::format(" ({} with several siblings)", conflicts_) : "";
        text += fmt::format(", {} failed in {:.1f} s ({:.0f}/s)", failed_, seconds, rate);
        text += stopped ? fmt::format("; interrupted after line {}", last_line_) : "";
        common_.reporter().remark(text);
    }
    return failed_ > 0 || stopped ? exits::partial : exits::done;
}

}  // namespace dynamo::cli
