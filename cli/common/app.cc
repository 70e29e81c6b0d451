#include "cli/common/app.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "dynamo/error.h"

namespace dynamo::cli {

const std::string& Option::display() const { return text.name.empty() ? text.letter : text.name; }

App::App(std::string name, std::string brief) : name_(std::move(name)), brief_(std::move(brief)) {}

Option& App::add(OptionText text, std::function<Result<void>(const std::string&)> set) {
    options_.push_back(std::make_unique<Option>(Option{std::move(text), std::move(set), {}}));
    return *options_.back();
}

Option& App::flag(OptionText text, bool& target) {
    return add(std::move(text), [&target](const std::string&) -> Result<void> {
        target = true;
        return {};
    });
}

Option& App::option(OptionText text, std::string& target) {
    return add(std::move(text), [&target](const std::string& value) -> Result<void> {
        target = value;
        return {};
    });
}

Option& App::option(OptionText text, std::optional<std::string>& target) {
    return add(std::move(text), [&target](const std::string& value) -> Result<void> {
        target = value;
        return {};
    });
}

Option& App::option(OptionText text, unsigned& target) {
    return add(std::move(text), [&target](const std::string& value) -> Result<void> {
        const auto number = number_from_text(value, std::numeric_limits<unsigned>::max());
        if (!number) {
            return std::unexpected(number.error());
        }
        target = static_cast<unsigned>(*number);
        return {};
    });
}

Option& App::option(OptionText text, std::optional<unsigned>& target) {
    return add(std::move(text), [&target](const std::string& value) -> Result<void> {
        const auto number = number_from_text(value, std::numeric_limits<unsigned>::max());
        if (!number) {
            return std::unexpected(number.error());
        }
        target = static_cast<unsigned>(*number);
        return {};
    });
}

Option& App::option(OptionText text, std::chrono::milliseconds& target) {
    return add(std::move(text), [&target](const std::string& value) -> Result<void> {
        const auto duration = duration_from_text(value);
        if (!duration) {
            return std::unexpected(duration.error());
        }
        target = *duration;
        return {};
    });
}

Option& App::option(OptionText text, std::function<Result<void>(const std::string&)> set) {
    return add(std::move(text), std::move(set));
}

void App::operands(OperandText text, std::vector<Operand>& target) {
    operands_ = std::move(text);
    operand_target_ = &target;
}

App& App::verb(std::string name, std::string brief) {
    verbs_.push_back(std::make_unique<App>(std::move(name), std::move(brief)));
    verbs_.back()->parent_ = this;
    return *verbs_.back();
}

void App::action(std::function<int()> run) { run_ = std::move(run); }

App* App::find_verb(const std::string& name) const {
    const auto found =
        std::ranges::find(verbs_, name, [](const auto& verb) { return verb->name_; });
    return found == verbs_.end() ? nullptr : found->get();
}

Option* App::find_option(const std::string& written) const {
    const auto matches = [&written](const auto& option) {
        return option->text.name == written || option->text.letter == written;
    };
    const auto found = std::ranges::find_if(options_, matches);
    if (found != options_.end()) {
        return found->get();
    }
    return parent_ ? parent_->find_option(written) : nullptr;
}

std::string App::path() const { return parent_ ? parent_->path() + " " + name_ : name_; }

void App::take_operands(std::vector<Operand> operands) {
    if (operand_target_) {
        *operand_target_ = std::move(operands);
    }
}

int App::run() const { return run_ ? run_() : 0; }

Result<std::uint64_t> number_from_text(const std::string& text, std::uint64_t most) {
    const bool digits =
        !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
    if (!digits) {
        return fail(Code::bad_request, fmt::format("'{}' is not a number", text));
    }
    std::uint64_t number = 0;
    for (const char digit : text) {
        const auto next = static_cast<std::uint64_t>(digit - '0');
        if (number > (most - next) / 10) {
            return fail(Code::bad_request, fmt::format("{} is more than {}", text, most));
        }
        number = number * 10 + next;
    }
    return number;
}

Result<std::chrono::milliseconds> duration_from_text(const std::string& text) {
    struct Unit {
        std::string_view name;
        double milliseconds;
    };
    constexpr Unit units[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"", 1000}};
    const auto wrong = [&text] {
        return fail(Code::bad_request,
                    fmt::format("'{}' is not a duration; write 500ms, 2s or 1m", text));
    };
    const auto end = std::min(text.find_first_not_of("0123456789."), text.size());
    const std::string number = text.substr(0, end);
    const auto* unit = std::ranges::find(units, std::string_view(text).substr(end), &Unit::name);
    const bool one_point = std::ranges::count(number, '.') <= 1;
    if (unit == std::end(units) || number.empty() || number == "." || !one_point) {
        return wrong();
    }
    const double milliseconds = std::stod(number) * unit->milliseconds;
    constexpr double longest = 24 * 3'600'000.0;
    if (milliseconds < 1 || milliseconds > longest) {
        return fail(Code::bad_request, fmt::format("{} is not between 1ms and 24h", text));
    }
    return std::chrono::milliseconds(std::llround(milliseconds));
}

}  // namespace dynamo::cli
