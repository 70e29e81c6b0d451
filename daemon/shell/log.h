// The daemon's log: one line an event, on standard error.
//
// Under journald (JOURNAL_STREAM names our standard error) a line begins with its level as "<3>";
// elsewhere with the time and the level's name. Control characters are shown as \xNN, so that
// nothing from outside can forge a line.
//
// Threads: any; a line is one write
// Errors:  a line that cannot be written is lost
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "daemon/node/outbox.h"
#include "dynamo/error.h"

namespace dynamo {

/// "debug", "info", "warning" or "error".
[[nodiscard]] std::string_view name_of(Severity severity);
[[nodiscard]] Result<Severity> severity_from(std::string_view name);

class Log {
  public:
    enum class Form : std::uint8_t { timestamps, journald };

    /// Lines below `least` are dropped. `descriptor` stays the caller's.
    Log(Severity least, int descriptor, Form form);
    /// To standard error, in the form that its reader wants.
    explicit Log(Severity least);

    void write(Severity severity, std::string_view text);
    /// Whatever the least level is: what others wait for ("ready").
    void announce(std::string_view text);
    /// At most one line of each kind in ten seconds; the next one says how many were left out. For
    /// what others can make happen as often as they like. One thread only.
    void write_rarely(std::string_view kind, Severity severity, std::string_view text);

  private:
    void write_line(Severity severity, std::string_view text);

    struct Kind {
        std::chrono::steady_clock::time_point next{};
        std::uint64_t left_out = 0;
    };
    Severity least_;
    int descriptor_;
    Form form_;
    std::map<std::string, Kind, std::less<>> kinds_;
};

}  // namespace dynamo
