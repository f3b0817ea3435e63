// SPDX-License-Identifier: MIT
#include "balancer/watch/ignore_rules.hpp"

#include "balancer/config/units/slot_text.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include <fnmatch.h>

namespace usher {

namespace {

/// 4913 is what Vim makes to see whether it may make files.
constexpr std::array<std::string_view, 8> always_ignored{
    ".git", "node_modules", "__pycache__", "*.pyc", "*.swp", "*~", ".#*", "4913"};

bool matches(const std::string& pattern, const std::string& text)
{
    return ::fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
}

/// A pattern that means `text` alone.
std::string literal(std::string_view text)
{
    std::string pattern;
    for (const char c : text) {
        if (std::string_view{"*?[\\"}.find(c) != std::string_view::npos)
            pattern += '\\';
        pattern += c;
    }
    return pattern;
}

/// A pattern for the paths that `file` is for all slots.
std::string pattern_of_slots(const std::string& file)
{
    if (!has_slot(file))
        return literal(fill_slot(file, 0));
    std::string pattern;
    std::string_view rest{file};
    for (auto at = rest.find(slot_mark); at != std::string_view::npos; at = rest.find(slot_mark)) {
        pattern += literal(rest.substr(0, at)) + "*";
        rest.remove_prefix(at + slot_mark.size());
    }
    return pattern + literal(rest);
}

} // namespace

std::span<const std::string_view> IgnoreRules::defaults() noexcept
{
    return always_ignored;
}

IgnoreRules::IgnoreRules(const std::vector<std::string>& patterns,
                         const std::vector<std::string>& outputs, std::string here)
    : here_{std::move(here)}, names_{always_ignored.begin(), always_ignored.end()}
{
    for (auto pattern : patterns) {
        while (pattern.size() > 1 && pattern.ends_with('/'))
            pattern.pop_back();
        if (pattern.find('/') == std::string::npos)
            names_.push_back(pattern);
        else
            paths_.push_back(absolute(pattern));
    }
    for (const auto& output : outputs) {
        const auto pattern = absolute(pattern_of_slots(output));
        paths_.push_back(pattern);
        paths_.push_back(pattern + ".[0-9]*"); // full ones
    }
}

bool IgnoreRules::ignores(const std::string& path) const
{
    const auto name = path.substr(path.rfind('/') + 1); // npos + 1 is 0
    const auto means = [](const std::string& text) {
        return [&text](const std::string& pattern) { return matches(pattern, text); };
    };
    return std::ranges::any_of(names_, means(name)) ||
           (!paths_.empty() && std::ranges::any_of(paths_, means(absolute(path))));
}

std::string IgnoreRules::absolute(const std::string& path) const
{
    return (std::filesystem::path{here_} / path).lexically_normal();
}

} // namespace usher
