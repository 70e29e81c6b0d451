// One line on stderr, drawn over itself, that says how a benchmark is doing; on a terminal only.
//
// Threads: one owner
#pragma once

#include <string>

namespace dynamo::cli {

class LiveLine {
  public:
    explicit LiveLine(bool quiet);
    ~LiveLine();
    LiveLine(const LiveLine&) = delete;
    LiveLine& operator=(const LiveLine&) = delete;
    void show(const std::string& text);
    /// Takes the line away.
    void clear();

  private:
    bool wanted_;
    bool drawn_ = false;
};

}  // namespace dynamo::cli
