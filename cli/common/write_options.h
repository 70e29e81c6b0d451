// What dyn-put, dyn-del and dyn-merge share: how a write is asked for, and the context it answers
// with.
//
// Threads: one owner
#pragma once

#include <optional>
#include <string>

#include "cli/common/batch.h"
#include "cli/common/files.h"
#include "cli/common/options.h"
#include "dynamo/types.h"

namespace dynamo::cli {

/// -w, -C, --print-context, --trace.
class WriteOptions {
  public:
    void declare(App& app);
    void declare_batch(App& app, const std::string& help, const std::vector<std::string>& excludes);

    /// Reads the context file or token, if one was named. Call it after stdin was read: a
    /// dyn-get before it in the pipe has written its file by then.
    [[nodiscard]] Result<void> load_context();
    [[nodiscard]] bool has_context() const { return source_.has_value(); }
    [[nodiscard]] const ContextToken& context() const { return source_->token; }
    [[nodiscard]] unsigned w() const { return w_; }
    [[nodiscard]] bool trace() const { return trace_; }
    [[nodiscard]] bool names_context() const { return context_.has_value(); }

    /// After the write: the file that gave the context now holds the new one, so that writes can
    /// be chained; and it is printed when that was asked for.
    [[nodiscard]] int finish(const CommonOptions& common, const std::string& key,
                             const Stored& stored) const;

    [[nodiscard]] bool is_batch() const { return batch_.has_value(); }
    [[nodiscard]] Batch::Settings batch_settings(const std::string& verb) const;

  private:
    unsigned w_ = 0;
    std::optional<std::string> context_;
    std::optional<ContextSource> source_;
    bool print_context_ = false;
    bool trace_ = false;
    std::optional<std::string> batch_;
    unsigned in_flight_ = 256;
    bool resend_unknown_ = false;
};

}  // namespace dynamo::cli
