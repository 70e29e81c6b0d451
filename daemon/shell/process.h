// What this process asks of the operating system besides files and sockets.
//
// Threads: any, unless said otherwise
// Errors:  none: what is missing is done without
#pragma once

#include <cstdint>

#include "daemon/storage/files.h"
#include "libdynamo/base/bytes.h"
#include "libdynamo/base/time.h"

namespace dynamo {

/// This moment, for the node.
[[nodiscard]] Now now_of_system();

/// Octets from the operating system's source of randomness; at most 256.
[[nodiscard]] Bytes system_random(std::size_t count);

/// Memory that this process has in use.
[[nodiscard]] std::uint64_t resident_bytes();

/// From here on SIGTERM, SIGINT and SIGHUP are read from what this returns (a signalfd that does
/// not wait), and SIGPIPE is nothing. Before any thread begins, so that all of them block them.
[[nodiscard]] FileHandle take_signals();

/// As many descriptors as the system lets us have: a client is one, and a file of every partition.
void raise_descriptor_limit();

/// Tells systemd, where it started us, that clients can come (sd_notify(3)).
void notify_ready();

}  // namespace dynamo
