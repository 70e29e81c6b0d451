// How a tool ends: what it says of an error, and the code that it exits with.
//
// One line: what failed, on which node, what to do next. With --format json or ndjson the same as
// one object.
//
// Threads: a plain value
#pragma once

#include <string>

#include "dynamo/error.h"

namespace dynamo::cli {

namespace exits {
constexpr int done = 0;
constexpr int no = 1;
constexpr int usage = 2;
constexpr int conflict = 3;
constexpr int maybe_applied = 4;
constexpr int not_applied = 5;
constexpr int refused = 6;
constexpr int partial = 7;
constexpr int server = 8;
}  // namespace exits

/// What to do next about an error, or empty when its message says it all.
[[nodiscard]] std::string advice_for(const Error& error);

/// Writes to stderr.
class Reporter {
  public:
    Reporter(std::string program, bool json) : program_(std::move(program)), json_(json) {}

    /// Says what failed; answers with the exit code. `advice` replaces what is advised by default,
    /// `about` names what it failed on (a key, a file).
    int error(const Error& error, const std::string& about = {},
              const std::string& advice = {}) const;
    /// The same for a command line that makes no sense.
    int usage(const Error& error, const std::string& advice = {}) const;
    /// A remark for people; silent in JSON, where only data and errors are written.
    void remark(const std::string& text) const;
    /// "No", as in exit 1: said to people only.
    int no(const std::string& text) const;

    [[nodiscard]] const std::string& program() const { return program_; }
    [[nodiscard]] bool json() const { return json_; }
    /// "dyn.get/1", of dyn-get.
    [[nodiscard]] std::string schema() const;

  private:
    std::string program_;
    bool json_;
};

}  // namespace dynamo::cli
