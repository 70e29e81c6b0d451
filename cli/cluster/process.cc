#include "cli/cluster/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

namespace dynamo::cli {
namespace {

bool is_program(const std::filesystem::path& path) {
    std::error_code ignored;
    return std::filesystem::is_regular_file(path, ignored) && ::access(path.c_str(), X_OK) == 0;
}

std::string contents_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// The words that a process was started with.
std::vector<std::string> command_line_of(pid_t process) {
    const std::string text = contents_of(fmt::format("/proc/{}/cmdline", process));
    std::vector<std::string> words;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find('\0', at), text.size());
        words.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return words;
}

/// The letter that the kernel gives a process's state; 'X' when there is none.
char state_letter_of(pid_t process) {
    // PID (NAME) STATE ...; the name may hold anything, so look behind its last parenthesis.
    const std::string text = contents_of(fmt::format("/proc/{}/stat", process));
    const auto name_end = text.rfind(')');
    return name_end == std::string::npos || name_end + 2 >= text.size() ? 'X' : text[name_end + 2];
}

[[noreturn]] void become(std::vector<char*>& words, int log, int report) {
    ::setsid();
    for (const int signal : {SIGPIPE, SIGINT, SIGTERM, SIGHUP}) {
        std::signal(signal, SIG_DFL);
    }
    const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(log, STDOUT_FILENO);
    ::dup2(log, STDERR_FILENO);
    // Nothing of ours or of our caller's stays open: a pipe kept by a daemon would never end. The
    // one for the report is closed by exec.
    const auto first = static_cast<unsigned>(report);
    if (first > 3) {
        ::close_range(3, first - 1, 0);
    }
    ::close_range(first + 1, ~0u, 0);
    ::execv(words.front(), words.data());
    const int why = errno;
    static_cast<void>(!::write(report, &why, sizeof why));
    ::_exit(127);
}

}  // namespace

std::string_view name_of(ProcessState state) {
    switch (state) {
        case ProcessState::dead:
            return "dead";
        case ProcessState::running:
            return "running";
        case ProcessState::paused:
            return "paused";
    }
    return "dead";
}

Result<std::string> find_daemon() {
    if (const char* named = std::getenv("DYNAMOD"); named && *named) {
        if (is_program(named)) {
            return std::filesystem::absolute(named).string();
        }
        return fail(Code::bad_request, fmt::format("$DYNAMOD names no program: {}", named));
    }
    std::error_code ignored;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", ignored);
    if (const auto beside = self.parent_path() / "dynamod"; is_program(beside)) {
        return beside.string();
    }
    const char* path = std::getenv("PATH");
    std::string_view rest = path ? path : "";
    while (!rest.empty()) {
        const auto colon = rest.find(':');
        const std::filesystem::path candidate =
            std::filesystem::path(rest.substr(0, colon)) / "dynamod";
        if (is_program(candidate)) {
            return std::filesystem::absolute(candidate).string();
        }
        rest.remove_prefix(colon == std::string_view::npos ? rest.size() : colon + 1);
    }
    return fail(Code::bad_request,
                "dynamod is neither beside dyn-cluster nor on PATH; name it in $DYNAMOD");
}

Result<pid_t> start_process(const std::vector<std::string>& words, const std::string& log) {
    const auto cannot = [&words](int why) {
        return fail(Code::bad_request,
                    fmt::format("cannot start {}: {}", words.front(), strerror(why)));
    };
    const int log_file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int report[2] = {-1, -1};
    if (log_file < 0 || ::pipe2(report, O_CLOEXEC) != 0) {
        return cannot(errno);
    }
    std::vector<std::string> copies = words;
    std::vector<char*> pointers;
    for (std::string& word : copies) {
        pointers.push_back(word.data());
    }
    pointers.push_back(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
        become(pointers, log_file, report[1]);
    }
    const int fork_error = errno;
    ::close(log_file);
    ::close(report[1]);
    int why = 0;
    const bool failed = child > 0 && ::read(report[0], &why, sizeof why) == sizeof why;
    ::close(report[0]);
    if (child < 0) {
        return cannot(fork_error);
    }
    if (failed) {
        ::waitpid(child, nullptr, 0);
        return cannot(why);
    }
    return child;
}

ProcessState state_of(pid_t process, const std::string& data_directory) {
    if (process <= 0) {
        return ProcessState::dead;
    }
    const char letter = state_letter_of(process);
    if (letter == 'X' || letter == 'Z' || letter == 'x') {
        return ProcessState::dead;
    }
    if (std::ranges::count(command_line_of(process), data_directory) == 0) {
        return ProcessState::dead;
    }
    return letter == 'T' || letter == 't' ? ProcessState::paused : ProcessState::running;
}

int exit_of_child(pid_t process) {
    int status = 0;
    if (::waitpid(process, &status, WNOHANG) != process) {
        return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool wait_until_dead(pid_t process, const std::string& data_directory,
                     std::chrono::milliseconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    // A process that ends has no command line any more, and its first thread may be a zombie, while
    // its ports and files are still held. Its handle tells when all of it is over.
    // Debian 12 declares pidfd_open() for C only.
    const int handle = static_cast<int>(::syscall(SYS_pidfd_open, process, 0));
    bool dead = false;
    if (handle >= 0) {
        pollfd over{handle, POLLIN, 0};
        while (!dead) {
            const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
                end - std::chrono::steady_clock::now());
            const int told = ::poll(&over, 1, std::max(0, static_cast<int>(left.count())));
            if (told == 0) {
                break;
            }
            dead = told > 0;
        }
        ::close(handle);
    }
    // Without handles (an old kernel, a sandbox) what the process table shows has to do.
    while (handle < 0 && !dead) {
        dead = state_of(process, data_directory) == ProcessState::dead;
        if (dead || std::chrono::steady_clock::now() >= end) {
            break;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    if (dead) {
        static_cast<void>(exit_of_child(process));
    }
    return dead;
}

bool port_is_taken(unsigned port) {
    const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe < 0) {
        return true;
    }
    const int yes = 1;
    ::setsockopt(probe, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr generic{};
    std::memcpy(&generic, &address, sizeof generic);
    const bool taken = ::bind(probe, &generic, sizeof generic) != 0;
    ::close(probe);
    return taken;
}

std::string last_lines(const std::string& path, std::size_t count) {
    const std::string text = contents_of(path);
    // The line feed at the very end begins no further line.
    std::size_t at = text.empty() ? 0 : text.size() - 1;
    for (std::size_t found = 0; at > 0; --at) {
        found += text[at - 1] == '\n' ? 1 : 0;
        if (found == count) {
            break;
        }
    }
    return text.substr(at);
}

}  // namespace dynamo::cli
