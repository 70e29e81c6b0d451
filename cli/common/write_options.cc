#include "cli/common/write_options.h"

#include <nlohmann/json.hpp>

#include "cli/common/key_io.h"

namespace dynamo::cli {

void WriteOptions::declare(App& app) {
    app.option({.letter = "-w",
                .name = "",
                .help = "how many replicas must hold it durably; the cluster's W when not given",
                .value = "N"},
               w_);
    app.option({.letter = "-C",
                .name = "--context",
                .help = "supersede exactly what was seen: a file that dyn-get -C wrote, or the "
                        "token itself. After the write the file holds the new context",
                .value = "FILE|TOKEN"},
               context_);
    app.flag({.letter = "",
              .name = "--print-context",
              .help = "print the context of the write, for the next one"},
             print_context_);
    app.flag({.letter = "",
              .name = "--trace",
              .help = "say on standard error who coordinated, who was asked and who answered when"},
             trace_);
}

void WriteOptions::declare_batch(App& app, const std::string& help,
                                 const std::vector<std::string>& excludes) {
    app.option({.letter = "", .name = "--batch", .help = help, .value = "-|@FILE"}, batch_)
        .excludes = excludes;
    app.option({.letter = "",
                .name = "--in-flight",
                .help = "requests of a batch under way at a time; 256 when not given",
                .value = "N"},
               [this](const std::string& text) -> Result<void> {
                   constexpr std::uint64_t most = 65536;
                   const auto number = number_from_text(text, most);
                   if (!number || *number == 0) {
                       return fail(Code::bad_request, "write a number from 1 to 65536");
                   }
                   in_flight_ = static_cast<unsigned>(*number);
                   return {};
               });
    app.flag(
        {.letter = "",
         .name = "--resend-unknown",
         .help = "in a batch send a write again when its outcome is unknown, as after the loss "
                 "of a node; it may then be stored twice, and equal siblings read as one"},
        resend_unknown_);
}

Result<void> WriteOptions::load_context() {
    if (!context_) {
        return {};
    }
    auto source = read_context(*context_);
    if (!source) {
        return std::unexpected(source.error());
    }
    source_ = std::move(*source);
    return {};
}

int WriteOptions::finish(const CommonOptions& common, const std::string& key,
                         const Stored& stored) const {
    if (source_ && source_->from_file) {
        if (const auto written = write_context(*context_, stored.context); !written) {
            Error error = written.error();
            error.applied = Applied::yes;
            return common.reporter().error(error, key, "the write itself is done");
        }
    }
    std::string out;
    if (common.json()) {
        nlohmann::ordered_json object = {{"schema", common.reporter().schema()}};
        put_octets(object, "key", key);
        object["existed"] = stored.existed;
        object["context"] = to_text(stored.context);
        if (trace_) {
            object["trace"] = trace_json(named_trace(common, stored.trace));
        }
        out = dumped(object) + "\n";
    } else if (print_context_) {
        out = to_text(stored.context) + "\n";
    }
    if (trace_ && !common.json()) {
        write_error(trace_text(named_trace(common, stored.trace)));
    }
    return out.empty() || write_out(out) ? exits::done : exits::server;
}

Batch::Settings WriteOptions::batch_settings(const std::string& verb) const {
    return {.source = *batch_,
            .in_flight = in_flight_,
            .verb = verb,
            .resend_unknown = resend_unknown_};
}

}  // namespace dynamo::cli
