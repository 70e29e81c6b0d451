#include "daemon/shell/log.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <ctime>
#include <utility>

namespace dynamo {

namespace {

constexpr std::array<std::string_view, 4> names = {"debug", "info", "warning", "error"};

/// The levels of syslog(3), by severity.
constexpr std::array<char, 4> journald_levels = {'7', '6', '4', '3'};

std::size_t index_of(Severity severity) { return static_cast<std::size_t>(severity); }

/// JOURNAL_STREAM is "device:inode" of the stream that journald reads.
bool is_journald(int descriptor) {
    const char* stream = std::getenv("JOURNAL_STREAM");
    struct stat status{};
    if (stream == nullptr || fstat(descriptor, &status) != 0) return false;
    return fmt::format("{}:{}", status.st_dev, status.st_ino) == stream;
}

std::string timestamp() {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    tm parts{};
    gmtime_r(&now.tv_sec, &parts);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                       parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                       now.tv_nsec / 1'000'000);
}

void append_printable(std::string& line, std::string_view text) {
    for (const char octet : text) {
        const auto value = static_cast<unsigned char>(octet);
        if (value < 0x20 || value == 0x7f)
            line += fmt::format("\\x{:02x}", value);
        else
            line += octet;
    }
}

}  // namespace

std::string_view name_of(Severity severity) { return names[index_of(severity)]; }

Result<Severity> severity_from(std::string_view name) {
    for (std::size_t i = 0; i < names.size(); ++i)
        if (names[i] == name) return static_cast<Severity>(i);
    return fail(Code::bad_request,
                fmt::format("'{}' is no level: write debug, info, warning or error", name));
}

Log::Log(Severity least, int descriptor, Form form)
    : least_(least), descriptor_(descriptor), form_(form) {}

Log::Log(Severity least)
    : Log(least, STDERR_FILENO, is_journald(STDERR_FILENO) ? Form::journald : Form::timestamps) {}

void Log::write(Severity severity, std::string_view text) {
    if (severity >= least_) write_line(severity, text);
}

void Log::announce(std::string_view text) { write_line(Severity::info, text); }

void Log::write_line(Severity severity, std::string_view text) {
    std::string line =
        form_ == Form::journald
            ? fmt::format("<{}>", journald_levels[index_of(severity)])
            : fmt::format("{} dynamod[{}] {}: ", timestamp(), getpid(), name_of(severity));
    append_printable(line, text);
    line += '\n';
    // A log that cannot be written to must not stop the store.
    [[maybe_unused]] const auto written = ::write(descriptor_, line.data(), line.size());
}

void Log::write_rarely(std::string_view kind, Severity severity, std::string_view text) {
    if (severity < least_) return;
    auto& state = kinds_.try_emplace(std::string(kind)).first->second;
    const auto now = std::chrono::steady_clock::now();
    if (now < state.next) {
        ++state.left_out;
        return;
    }
    state.next = now + std::chrono::seconds(10);
    const auto left_out = std::exchange(state.left_out, 0);
    write(severity, left_out == 0 ? std::string(text)
                                  : fmt::format("{} (and {} more like it before)", text, left_out));
}

}  // namespace dynamo
