#include "cli/common/options.h"

#include <fmt/format.h>

#include <cstdlib>

namespace dynamo::cli {
namespace {

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

std::vector<std::string> split_at_commas(std::string_view text) {
    std::vector<std::string> parts;
    while (!text.empty()) {
        const auto comma = text.find(',');
        const std::string_view part = text.substr(0, comma);
        if (!part.empty()) {
            parts.emplace_back(part);
        }
        text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    }
    return parts;
}

Format format_of(const std::string& name) {
    return name == "json"     ? Format::json
           : name == "ndjson" ? Format::ndjson
           : name == "tsv"    ? Format::tsv
           : name == "prom"   ? Format::prom
                              : Format::human;
}

}  // namespace

void CommonOptions::declare_network(App& app) {
    app.option({.letter = "-s",
                .name = "--seed",
                .help = "nodes to ask first; $DYN_SEEDS, else 127.0.0.1:7100",
                .value = "HOST:PORT[,...]",
                .environment = "DYN_SEEDS",
                .shared = true},
               seeds_);
    app.option({.letter = "",
                .name = "--cluster",
                .help = "refuse a cluster of any other name; $DYN_CLUSTER",
                .value = "NAME",
                .environment = "DYN_CLUSTER",
                .shared = true},
               cluster_);
    app.option({.letter = "",
                .name = "--timeout",
                .help = "how long one request may take: 500ms, 1m; $DYN_TIMEOUT, else 2s",
                .value = "TIME",
                .environment = "DYN_TIMEOUT",
                .shared = true},
               timeout_);
}

void CommonOptions::declare(App& app, const Wants& wants) {
    if (wants.network) {
        declare_network(app);
    }
    if (!wants.formats.empty()) {
        app.option({.letter = "",
                    .name = "--format",
                    .help = wants.format_help,
                    .value = "FORMAT",
                    .choices = wants.formats,
                    .shared = true},
                   [this](const std::string& name) -> Result<void> {
                       format_ = format_of(name);
                       format_given_ = true;
                       return {};
                   });
    }
    if (wants.keys) {
        app.option({.letter = "",
                    .name = "--key-encoding",
                    .help = "how keys are written",
                    .value = "ENCODING",
                    .choices = {"raw", "hex", "b64"},
                    .shared = true},
                   [this](const std::string& name) -> Result<void> {
                       encoding_ = name == "hex"   ? KeyEncoding::hex
                                   : name == "b64" ? KeyEncoding::base64
                                                   : KeyEncoding::raw;
                       return {};
                   });
    }
    if (wants.lists) {
        app.flag({.letter = "-0",
                  .name = "",
                  .help = "lists are separated by NUL, not by line feeds",
                  .shared = true},
                 nul_);
    }
}

Result<std::string> CommonOptions::key_from_text(std::string_view text) const {
    Result<std::string> key = std::string(text);
    if (encoding_ == KeyEncoding::hex) {
        key = from_hex_text(text);
    } else if (encoding_ == KeyEncoding::base64) {
        key = from_base64_text(text);
    }
    if (!key) {
        return fail(Code::bad_request,
                    fmt::format("key '{}': {}", printable(shortened(std::string(text))),
                                key.error().message));
    }
    if (key->empty()) {
        return fail(Code::bad_request, "a key has at least one octet");
    }
    return key;
}

std::string CommonOptions::key_text(std::string_view key) const {
    return encoding_ == KeyEncoding::hex      ? hex_of(key)
           : encoding_ == KeyEncoding::base64 ? base64_of(key)
                                              : std::string(key);
}

Result<CommonOptions::Operator> CommonOptions::open_with_ring() const {
    auto admin = open_admin();
    if (!admin) {
        return std::unexpected(admin.error());
    }
    auto ring = admin->ring();
    if (!ring) {
        return std::unexpected(ring.error());
    }
    return Operator{std::move(*admin), std::move(*ring)};
}

std::vector<std::string> CommonOptions::seeds() const {
    const auto parts = split_at_commas(seeds_);
    return parts.empty() ? ClientOptions{}.seeds : parts;
}

ClientOptions CommonOptions::client_options() const {
    ClientOptions options;
    options.seeds = seeds();
    options.cluster = cluster_;
    options.timeout = timeout_;
    options.program = program_;
    return options;
}

Result<CommonOptions::Operator> CommonOptions::open_for_completion() {
    CommonOptions options("completion");
    options.seeds_ = environment("DYN_SEEDS");
    options.cluster_ = environment("DYN_CLUSTER");
    options.timeout_ = std::chrono::milliseconds(300);
    return options.open_with_ring();
}

Candidates CommonOptions::live_nodes() {
    const auto with = open_for_completion();
    if (!with) {
        return {};
    }
    Candidates candidates;
    for (const NodeInfo& node : with->ring.nodes) {
        candidates.push_back({node.name, node.client_address});
    }
    return candidates;
}

}  // namespace dynamo::cli
