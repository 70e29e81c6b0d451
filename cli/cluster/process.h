// Daemons as processes: started on their own, recognised by what they run, ended.
//
// A process id alone says nothing: it may be another program's by now. A daemon is ours when its
// command line names the data directory that it was started with.
//
// Threads: any
// Errors:  bad_request names the program that could not be started
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "dynamo/error.h"

namespace dynamo::cli {

enum class ProcessState : std::uint8_t { dead, running, paused };

/// "dead", "running" or "paused".
[[nodiscard]] std::string_view name_of(ProcessState state);

/// The daemon's program: $DYNAMOD, else beside this program, else on PATH.
[[nodiscard]] Result<std::string> find_daemon();

/// Starts `words` in a session of its own, stdin from /dev/null, everything it says into `log`.
[[nodiscard]] Result<pid_t> start_process(const std::vector<std::string>& words,
                                          const std::string& log);

/// What the process is doing; dead also when it is not the one that runs on `data_directory`.
[[nodiscard]] ProcessState state_of(pid_t process, const std::string& data_directory);

/// What a child of ours exited with; -1 while it runs, and for one that is no child.
[[nodiscard]] int exit_of_child(pid_t process);

/// Waits until it is dead; false when it still is not after `limit`.
[[nodiscard]] bool wait_until_dead(pid_t process, const std::string& data_directory,
                                   std::chrono::milliseconds limit);

/// True when something listens on the port of 127.0.0.1 already, or it may not be used.
[[nodiscard]] bool port_is_taken(unsigned port);

/// The last `count` lines of a file.
[[nodiscard]] std::string last_lines(const std::string& path, std::size_t count);

}  // namespace dynamo::cli
