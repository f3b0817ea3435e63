// SPDX-License-Identifier: MIT
#include "balancer/config/json/json_value.hpp"

#include "balancer/config/json/config_error.hpp"
#include "balancer/config/json/json_text.hpp"
#include "balancer/config/json/nearest_name.hpp"
#include "common/text/one_line.hpp"

#include <fmt/core.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <stdexcept>
#include <system_error>

namespace usher {

JsonValue::JsonValue(const nlohmann::json& json, std::string_view file, const Variables* variables,
                     std::string pointer)
    : json_{&json}, file_{file}, variables_{variables}, pointer_{std::move(pointer)}
{
}

bool JsonValue::is_string() const noexcept
{
    return json_->is_string();
}

bool JsonValue::is_object() const noexcept
{
    return json_->is_object();
}

bool JsonValue::is_number_by_variable() const
{
    return number_by_variable().has_value();
}

std::optional<std::int64_t> JsonValue::number_by_variable() const
{
    if (!is_string())
        return std::nullopt;
    const auto [text, is_lone] = expanded(SlotMark::refused);
    std::int64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    if (!is_lone || error != std::errc{} || rest != end)
        return std::nullopt;
    return number;
}

bool JsonValue::boolean() const
{
    if (is_string())
        if (const auto [text, is_lone] = expanded(SlotMark::refused);
            is_lone && (text == "true" || text == "false"))
            return text == "true";
    if (!json_->is_boolean())
        refuse("true or false");
    return json_->get<bool>();
}

std::int64_t JsonValue::integer(std::int64_t least, std::int64_t most, std::string_view must) const
{
    const auto limits = fmt::format("from {} to {}", least, most);
    const auto by_variable = number_by_variable();
    if (!by_variable && !json_->is_number_integer())
        refuse(must.empty() ? "a whole number " + limits : must);

    // The library keeps what has a minus sign as signed, everything else as unsigned.
    const auto number = by_variable ? *by_variable : json_->get<std::int64_t>();
    const bool is_too_large = json_->is_number_unsigned() && number < 0;
    if (is_too_large || number < least || number > most)
        refuse(must.empty() ? limits : must);
    return number;
}

std::string JsonValue::text(std::string_view must) const
{
    return checked_text(must, SlotMark::refused);
}

std::string JsonValue::slot_text() const
{
    return checked_text("a string", SlotMark::kept);
}

std::string JsonValue::checked_text(std::string_view must, SlotMark slot) const
{
    if (!is_string())
        refuse(must);
    if (json_->get_ref<const std::string&>().find('\0') != std::string::npos)
        fail("has a zero byte (\\u0000); remove it");
    return expanded(slot).text;
}

Expansion JsonValue::expanded(SlotMark slot) const
{
    const auto& text = json_->get_ref<const std::string&>();
    if (variables_ == nullptr)
        return {.text = text};
    try {
        return expand(text, variables_->value_of, slot);
    } catch (const std::invalid_argument& error) {
        const auto line = line_of_string(variables_->text, pointer_);
        fail(fmt::format("{}{}", line ? fmt::format("line {}: ", *line) : "", error.what()));
    }
}

std::vector<JsonValue> JsonValue::elements(std::string_view must) const
{
    if (!json_->is_array())
        refuse_kind(must);

    std::vector<JsonValue> elements;
    elements.reserve(json_->size());
    for (std::size_t i = 0; i < json_->size(); ++i)
        elements.push_back(child(std::to_string(i), (*json_)[i]));
    return elements;
}

std::vector<std::pair<std::string, JsonValue>> JsonValue::entries() const
{
    if (!is_object())
        refuse_kind("an object");

    std::vector<std::pair<std::string, JsonValue>> entries;
    entries.reserve(json_->size());
    for (const auto& [key, value] : json_->items())
        entries.emplace_back(key, child(key, value));
    return entries;
}

void JsonValue::check_keys(std::span<const std::string_view> known, std::string_view must) const
{
    if (!is_object())
        refuse_kind(must);
    for (const auto& [key, value] : entries())
        if (std::ranges::find(known, key) == known.end())
            value.refuse_name("key", key, known);
}

std::optional<JsonValue> JsonValue::find(std::string_view key) const
{
    if (!is_object())
        return std::nullopt;

    const std::string name{key};
    const auto found = json_->find(name);
    if (found == json_->end())
        return std::nullopt;
    return child(name, *found);
}

void JsonValue::refuse(std::string_view must) const
{
    fail(fmt::format("is {}, but must be {}", description(), must));
}

void JsonValue::refuse_name(std::string_view what, std::string_view name,
                            std::span<const std::string_view> known) const
{
    const auto nearest = nearest_name(name, known);
    fail(nearest.empty() ? fmt::format("unknown {}; use one of {}", what, fmt::join(known, ", "))
                         : fmt::format("unknown {}; did you mean \"{}\"?", what, nearest));
}

/// As refuse(), but what a string says does not matter where none is wanted at all.
void JsonValue::refuse_kind(std::string_view must) const
{
    fail(fmt::format("is {}, but must be {}", is_string() ? "a string" : description(), must));
}

void JsonValue::fail(std::string_view problem) const
{
    throw ConfigError{file_, pointer_, problem};
}

std::string JsonValue::description() const
{
    if (json_->is_structured())
        return std::string{"an "} + json_->type_name();
    if (!is_string())
        return json_->dump();
    const auto& written = json_->get_ref<const std::string&>();
    if (variables_ == nullptr || !has_variable(written))
        return quote(written);
    return fmt::format("{} by {}", quote(expanded(SlotMark::refused).text), quote(written));
}

JsonValue JsonValue::child(const std::string& key, const nlohmann::json& json) const
{
    const nlohmann::json::json_pointer pointer{pointer_};
    return {json, file_, variables_, (pointer / key).to_string()};
}

} // namespace usher
