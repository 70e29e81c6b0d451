// dyn-dump: every key with all that is known of it, as a stream that can be checked.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "cli/common/files.h"
#include "cli/common/interrupt.h"
#include "cli/common/key_pages.h"
#include "cli/common/options.h"
#include "cli/common/progress.h"
#include "cli/common/spec.h"
#include "cli/dump/window.h"
#include "dynamo/dump.h"

namespace dynamo::cli {
namespace {

class DumpTool {
  public:
    Spec spec();

  private:
    void build(App& app);
    int run();
    [[nodiscard]] Result<DumpHead> head_of(const RingView& ring) const;
    [[nodiscard]] Result<void> write(std::string_view octets);
    [[nodiscard]] Result<void> dump_all(Client& client, const DumpHead& head);
    [[nodiscard]] Result<void> dump_partition(Client& client, const KeyQuery& query);
    [[nodiscard]] std::optional<KeyPage> next_page(Client& client, KeyPages& pages,
                                                   unsigned partition);
    [[nodiscard]] Result<void> take_answers(Client& client, bool all);
    [[nodiscard]] Result<void> finish();
    [[nodiscard]] int summarise() const;

    CommonOptions common_{"dyn-dump"};
    std::string prefix_;
    std::optional<unsigned> partition_;
    unsigned r_ = 0;
    unsigned max_rate_ = 0;
    std::string output_;

    DumpWriter writer_;
    std::optional<NewFile> file_;
    Window<KeyState> window_;
    Progress progress_;
    double share_ = 0;
    std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
    std::uint64_t octets_ = 0;
    std::uint64_t unread_keys_ = 0;
    std::uint64_t unread_partitions_ = 0;
};

Spec DumpTool::spec() {
    return {
        .name = "dyn-dump",
        .brief = "write every key with all its versions to a file or a pipe",
        .about =
            "Each key is read from R nodes, as dyn-get reads it, with its siblings, its deletes "
            "and all that was seen of it, so that dyn-load can merge it into any cluster. Every "
            "record has a checksum, and the trailer their number and a root over them. A key that "
            "is written meanwhile is in the dump as it was before or after.",
        .build = [this](App& app) { build(app); },
        .examples = {{"dyn-dump -o monday.dump", "Back up the cluster."},
                     {"dyn-dump | gzip >monday.dump.gz", "The same, smaller."},
                     {"dyn-dump --prefix cart: --max-rate 1000 -o carts.dump",
                      "Back up a part of it, slowly."},
                     {"dyn-dump | dyn-load --seed other:7100", "Copy it to another cluster."}},
        .exits = with_failures({{exits::done, "everything is in the dump"},
                                {exits::partial, "some keys could not be read, or interrupted"}}),
    };
}

void DumpTool::build(App& app) {
    app.option({.letter = "-o",
                .name = "--output",
                .help = "write to this file, which is there once it is complete; standard output "
                        "when not given",
                .value = "FILE"},
               output_);
    app.option({.letter = "",
                .name = "--prefix",
                .help = "only keys that begin so, in the given encoding",
                .value = "P"},
               prefix_);
    app.option({.letter = "", .name = "--partition", .help = "only this one", .value = "N"},
               partition_);
    app.option({.letter = "-r",
                .name = "",
                .help = "how many replicas tell of each key; the cluster's R when not given",
                .value = "N"},
               r_);
    app.option({.letter = "",
                .name = "--max-rate",
                .help = "keys to read in a second, at most",
                .value = "N"},
               max_rate_);
    common_.declare(
        app,
        {.formats = {"human", "json"}, .format_help = "how to print the summary", .keys = true});
    app.action([this] { return run(); });
}

Result<DumpHead> DumpTool::head_of(const RingView& ring) const {
    if (partition_ && *partition_ >= ring.partitions) {
        return fail(Code::bad_request, fmt::format("there is no partition {}; the ring has {}",
                                                   *partition_, ring.partitions));
    }
    if (r_ > ring.copies) {
        return fail(Code::bad_request,
                    fmt::format("-r is {}, but this cluster keeps {} copies of a key (N)", r_,
                                ring.copies));
    }
    auto prefix = prefix_.empty() ? Result<std::string>() : common_.key_from_text(prefix_);
    if (!prefix) {
        return std::unexpected(prefix.error());
    }
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return DumpHead{ring.cluster,
                    ring.cluster_id,
                    std::chrono::duration_cast<std::chrono::milliseconds>(now).count(),
                    ring.partitions,
                    partition_,
                    std::move(*prefix)};
}

Result<void> DumpTool::write(std::string_view octets) {
    octets_ += octets.size();
    if (file_) {
        return file_->write(octets);
    }
    if (!write_out(octets)) {
        return fail(Code::bad_request, "cannot write to standard output");
    }
    return {};
}

/// A ring that has changed is learned at the next try.
std::optional<KeyPage> DumpTool::next_page(Client& client, KeyPages& pages, unsigned partition) {
    constexpr int tries = 2;
    for (int attempt = 1;; ++attempt) {
        auto page = pages.next(client, SIZE_MAX);
        if (page) {
            return std::move(*page);
        }
        if (attempt == tries || interrupted()) {
            progress_.clear();
            common_.reporter().error(page.error(), fmt::format("partition {}", partition));
            ++unread_partitions_;
            return std::nullopt;
        }
        sleep_until(std::chrono::steady_clock::now() + std::chrono::milliseconds(100));
    }
}

Result<void> DumpTool::dump_partition(Client& client, const KeyQuery& query) {
    KeyPages pages(query, max_rate_);
    while (!pages.at_end() && !interrupted()) {
        const auto page = next_page(client, pages, *query.partition);
        if (!page) {
            return {};
        }
        for (const KeyInfo& info : page->keys) {
            while (!window_.has_room()) {
                client.poll(std::chrono::milliseconds(50));
                if (auto taken = take_answers(client, false); !taken) {
                    return taken;
                }
            }
            client.state_async(info.key, r_, window_.open({0, info.key, {}, {}}));
        }
    }
    return {};
}

/// Those that have come; with `all`, waits for the others.
Result<void> DumpTool::take_answers(Client& client, bool all) {
    for (;;) {
        while (auto slot = window_.take()) {
            if (!*slot->answer) {
                ++unread_keys_;
                progress_.clear();
                common_.reporter().error(slot->answer->error(), common_.key_text(slot->key));
            } else if (!(*slot->answer)->empty()) {
                if (auto put = write(writer_.record(slot->key, **slot->answer)); !put) {
                    return put;
                }
            }
        }
        progress_.show(writer_.records(), unread_keys_, share_);
        if (!all || window_.empty()) {
            return {};
        }
        client.poll(std::chrono::milliseconds(50));
    }
}

Result<void> DumpTool::dump_all(Client& client, const DumpHead& head) {
    if (auto put = write(writer_.head(head)); !put) {
        return put;
    }
    const unsigned first = partition_.value_or(0);
    const unsigned last = partition_.value_or(head.partitions - 1);
    for (unsigned at = first; at <= last && !interrupted(); ++at) {
        KeyQuery query;
        query.partition = at;
        query.prefix = head.prefix;
        if (auto done = dump_partition(client, query); !done) {
            return done;
        }
        share_ = (at + 1 - first) / static_cast<double>(last + 1 - first);
    }
    return take_answers(client, true);
}

Result<void> DumpTool::finish() {
    if (auto put = write(writer_.tail(unread_keys_, unread_partitions_)); !put) {
        return put;
    }
    return file_ ? file_->keep() : Result<void>();
}

int DumpTool::summarise() const {
    const bool complete = unread_keys_ == 0 && unread_partitions_ == 0;
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begun_;
    if (common_.json()) {
        const nlohmann::ordered_json object = {{"schema", common_.reporter().schema()},
                                               {"records", writer_.records()},
                                               {"root", writer_.root()},
                                               {"octets", octets_},
                                               {"unread_keys", unread_keys_},
                                               {"unread_partitions", unread_partitions_},
                                               {"complete", complete},
                                               {"seconds", seconds.count()}};
        const std::string line = dumped(object) + "\n";
        // Standard output may hold the dump.
        output_.empty() ? write_error(line) : static_cast<void>(write_out(line));
    } else {
        std::string text =
            fmt::format("{} records, {}, root {}, in {:.1f} s", writer_.records(),
                        bytes_text(octets_), writer_.root().substr(0, 16), seconds.count());
        if (!complete) {
            text += fmt::format("; NOT complete: {} keys and {} partitions could not be read",
                                unread_keys_, unread_partitions_);
        }
        common_.reporter().remark(text);
    }
    return complete ? exits::done : exits::partial;
}

int DumpTool::run() {
    const Reporter reporter = common_.reporter();
    if (output_.empty() && ::isatty(STDOUT_FILENO) == 1) {
        return reporter.usage(
            Error{Code::bad_request, "a dump is no text for a terminal; redirect it, or use -o"});
    }
    const auto with = common_.open_with_ring();
    if (!with) {
        return reporter.error(with.error());
    }
    const auto head = head_of(with->ring);
    if (!head) {
        return reporter.error(head.error());
    }
    auto client = common_.open_client();
    if (!client) {
        return reporter.error(client.error());
    }
    if (!output_.empty()) {
        auto file = NewFile::beside(output_);
        if (!file) {
            return reporter.error(file.error());
        }
        file_.emplace(std::move(*file));
    }
    catch_interrupt();
    const auto dumped_all = dump_all(*client, *head);
    progress_.clear();
    if (!dumped_all) {
        return reporter.error(dumped_all.error());
    }
    if (interrupted()) {
        reporter.remark(fmt::format("interrupted after {} records; {}", writer_.records(),
                                    file_ ? "nothing is kept" : "the dump has no trailer"));
        return exits::partial;
    }
    if (const auto finished = finish(); !finished) {
        return reporter.error(finished.error());
    }
    return summarise();
}

}  // namespace
}  // namespace dynamo::cli

int main(int count, char** words) {
    dynamo::cli::DumpTool tool;
    return dynamo::cli::run_tool(tool.spec(), count, words);
}
