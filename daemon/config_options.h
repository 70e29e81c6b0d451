// The options: one table from which the command line, the file, the help and the checks come.
//
// Threads: plain values
// Errors:  a setter names what is wrong with the text; the reader adds where it was given
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/config.h"

namespace dynamo {

/// A configuration in the making: what was given as text is completed by finish().
struct Draft {
    Config config;
    std::string listen = "127.0.0.1";
    std::string listen_peer;
    std::string advertise;
    std::string advertise_peer;
    std::vector<std::string> given;  ///< names of the options that were given, file and flags
    [[nodiscard]] bool has(std::string_view name) const;
};

struct Option {
    using Set = Result<void> (*)(Draft& draft, const std::string& text);
    using Show = std::string (*)(const Config& config);

    std::string_view group;  ///< heading in --help; empty: the same as the one before
    std::string_view name;
    std::string_view value;  ///< what the help calls its value; empty: a switch
    std::string_view help;
    Set set;
    Show show;  ///< as TOML
};

/// In the order of the help.
[[nodiscard]] const std::vector<Option>& options();

/// Derives what was not given and holds the options against each other.
[[nodiscard]] Result<Config> finish(Draft draft, const Environment& environment);

}  // namespace dynamo
