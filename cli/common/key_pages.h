// A listing of keys, page by page, at a bounded rate; the whole list is never held.
//
// Threads: one owner
// Errors:  a page that cannot be had; cursor() is where to go on
#pragma once

#include <chrono>
#include <string>

#include "dynamo/client.h"

namespace dynamo::cli {

class KeyPages {
  public:
    /// `rate`: keys a second at most, 0: as they come.
    KeyPages(KeyQuery query, unsigned rate);

    /// The next page, `most` keys at most (a few more where replicas differ); waits as long as the
    /// rate asks for. Empty pages come too.
    [[nodiscard]] Result<KeyPage> next(Client& client, std::size_t most);
    /// There is no further page.
    [[nodiscard]] bool at_end() const { return ended_; }
    /// Where the page after the last one begins.
    [[nodiscard]] const std::string& cursor() const { return query_.cursor; }

  private:
    KeyQuery query_;
    unsigned rate_;
    bool ended_ = false;
    std::chrono::steady_clock::time_point due_;
};

}  // namespace dynamo::cli
