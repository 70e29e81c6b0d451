#include "tests/fuzz/entries.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "libdynamo/base/check.h"
#include "libdynamo/base/hash.h"

namespace dynamo::wire {
namespace {

const Sample& sample_called(std::string_view name) {
    const auto at = std::ranges::find(samples(), name, &Sample::name);
    DYN_CHECK(at != samples().end());
    return *at;
}

/// What is decoded must be encoded and decoded the same; a canonical form, octet by octet.
std::string check(const Sample& sample, const Parts& parts) {
    const auto once = sample.again(parts);
    if (!once) return once.error().message.empty() ? "refused without a reason" : "";
    if (sample.canonical && *once != parts) return "decoded what the encoder does not write";
    const auto twice = sample.again(*once);
    if (!twice) return "its own encoding is refused: " + twice.error().message;
    return *once == *twice ? "" : "encoded in two ways";
}

/// Checks an input that is one part.
std::string run_part(std::string_view name, BytesView input) {
    return check(sample_called(name), {Bytes(input)});
}

/// Checks an input that is two frames.
std::string run_frames(std::string_view name, BytesView input) {
    if (input.size() < 2) return "";
    const auto octet = [&](std::size_t at) { return static_cast<unsigned char>(input[at]); };
    const std::size_t size = std::min<std::size_t>(octet(0) * 256u + octet(1), input.size() - 2);
    return check(sample_called(name),
                 {Bytes(input.substr(2, size)), Bytes(input.substr(2 + size))});
}

Bytes part_input(std::string_view, const Parts& parts) { return parts.front(); }

Bytes frames_input(std::string_view, const Parts& parts) {
    const std::size_t size = parts.front().size();
    DYN_CHECK(parts.size() == 2 && size < 65536);
    return Bytes{static_cast<char>(size >> 8), static_cast<char>(size & 255)} + parts[0] + parts[1];
}

/// Behind the checksum nothing would ever be reached, so each input is given a sound one as well.
std::string run_context(BytesView input) {
    if (auto wrong = run_part("context", input); !wrong.empty()) return wrong;
    if (input.size() < 8) return "";
    Bytes mended(input.substr(0, input.size() - 8));
    const std::uint64_t sum = checksum(mended);
    for (int shift = 56; shift >= 0; shift -= 8) mended += static_cast<char>(sum >> shift & 255);
    return run_part("context", mended);
}

bool is_message(const Sample& sample) { return sample.parts.size() == 1 && !sample.canonical; }

/// Any message by itself: the first octet chooses which.
std::string run_message(BytesView input) {
    if (input.empty()) return "";
    const auto wanted = static_cast<unsigned char>(input.front());
    if (wanted >= samples().size() || !is_message(samples()[wanted])) return "";
    return check(samples()[wanted], {Bytes(input.substr(1))});
}

Bytes message_input(std::string_view seed, const Parts& parts) {
    return static_cast<char>(&sample_called(seed) - samples().data()) + parts.front();
}

std::vector<std::string_view> message_seeds() {
    std::vector<std::string_view> names;
    for (const Sample& sample : samples())
        if (is_message(sample)) names.push_back(sample.name);
    return names;
}

}  // namespace

const std::vector<Entry>& entries() {
    static const std::vector<Entry> all = {
        {"requests",
         {"request_frame", "request_batch"},
         [](BytesView input) { return run_frames("request_frame", input); },
         frames_input},
        {"replies",
         {"reply_frame", "error_frame", "reply_batch"},
         [](BytesView input) { return run_frames("reply_frame", input); },
         frames_input},
        {"peer",
         {"peer_frame"},
         [](BytesView input) { return run_frames("peer_frame", input); },
         frames_input},
        {"message", message_seeds(), run_message, message_input},
        {"context", {"context"}, run_context, part_input},
        {"object",
         {"object"},
         [](BytesView input) { return run_part("object", input); },
         part_input},
        {"epoch", {"epoch"}, [](BytesView input) { return run_part("epoch", input); }, part_input},
        {"ring", {"ring"}, [](BytesView input) { return run_part("ring", input); }, part_input},
    };
    return all;
}

const Entry* find_entry(std::string_view name) {
    const auto at = std::ranges::find(entries(), name, &Entry::name);
    return at == entries().end() ? nullptr : &*at;
}

Parts golden(std::string_view name) {
    std::ifstream file(std::filesystem::path(DYNAMO_GOLDEN_DIR) / (std::string(name) + ".hex"));
    Parts parts;
    for (std::string line; std::getline(file, line);)
        DYN_CHECK(from_hex(line, parts.emplace_back()));
    return parts;
}

}  // namespace dynamo::wire
