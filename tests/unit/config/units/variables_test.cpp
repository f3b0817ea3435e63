// SPDX-License-Identifier: MIT
#include "balancer/config/units/variables.hpp"

#include "balancer/config/units/slot_text.hpp"

#include <doctest/doctest.h>

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace usher::variables_test {

namespace {

std::optional<std::string> value_of(const std::string& name)
{
    static const std::map<std::string, std::string> values{
        {"A", "1"}, {"EMPTY", ""}, {"_b2", "x y"}, {"MORE", "${A} $$ ${slot}"}, {"slot", "env"}};
    const auto found = values.find(name);
    return found != values.end() ? std::optional{found->second} : std::nullopt;
}

std::string filled(std::string_view text)
{
    return expand(text, value_of, SlotMark::refused).text;
}

/// What a worker in slot 7 gets.
std::string in_slot_7(std::string_view text)
{
    return fill_slot(expand(text, value_of, SlotMark::kept).text, 7);
}

std::string error_of(std::string_view text)
{
    try {
        return "no error: " + filled(text);
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
}

} // namespace

TEST_SUITE_BEGIN("variables");

TEST_CASE("a variable gives its value, which is not looked through again")
{
    CHECK(filled("${A}") == "1");
    CHECK(filled("a${A}b${_b2}${A}") == "a1bx y1");
    CHECK(filled("${EMPTY}") == "");
    CHECK(filled("${MORE}") == "${A} $$ ${slot}");
}

TEST_CASE("a default holds where the variable is not set or empty")
{
    CHECK(filled("${A:-2}") == "1");
    CHECK(filled("${EMPTY:-2}") == "2");
    CHECK(filled("${NONE:-2}") == "2");
    CHECK(filled("${NONE:-}") == "");
    CHECK(filled("${NONE:-a:-b $$c $d {}") == "a:-b $c $d {");
}

TEST_CASE("two dollars are one, and others stand for themselves")
{
    CHECK(filled("$$") == "$");
    CHECK(filled("$${A}") == "${A}");
    CHECK(filled("$$${A}") == "$1");
    CHECK(filled("$A $ $1 a$") == "$A $ $1 a$");
    CHECK(filled("{A} {slot}") == "{A} {slot}");
}

TEST_CASE("one variable and nothing else is known as such")
{
    const auto is_lone = [](std::string_view text) {
        return expand(text, value_of, SlotMark::refused).is_lone;
    };
    CHECK(is_lone("${A}"));
    CHECK(is_lone("${NONE:-1}"));
    CHECK_FALSE(is_lone("1"));
    CHECK_FALSE(is_lone("${A}${A}"));
    CHECK_FALSE(is_lone("1${A}"));
    CHECK_FALSE(is_lone("${A} "));
    CHECK_FALSE(is_lone("$${A}"));
}

TEST_CASE("what cannot be filled in is refused with the remedy")
{
    CHECK(error_of("a ${NONE}") ==
          "the variable NONE is not set in usher's environment; set it, or say what is meant "
          "without it, as in ${NONE:-default}");
    const std::string remedy =
        "; write ${NAME} or ${NAME:-default}, or $${ where no variable is meant";
    CHECK(error_of("${A") == "has ${ without a } behind it" + remedy);
    CHECK(error_of("${}") == "has ${} in it, which is no variable" + remedy);
    CHECK(error_of("${1A}") == "has ${1A} in it, which is no variable" + remedy);
    CHECK(error_of("${A-1}") == "has ${A-1} in it, which is no variable" + remedy);
    CHECK(error_of("${A\n}") == "has ${A\\n} in it, which is no variable" + remedy);
    CHECK(error_of("${A:-${B}}") ==
          "has a variable in the default of another, \"${B\", which cannot be" + remedy);
}

TEST_CASE("the slot is filled in where it may stand, and refused elsewhere")
{
    CHECK(in_slot_7("${slot}") == "7");
    CHECK(in_slot_7("90${slot}${A}${slot}") == "90717");
    CHECK(in_slot_7("$${slot}") == "${slot}");
    CHECK(in_slot_7("$$${slot}") == "$7");
    CHECK(in_slot_7("$$$${slot} $$ $") == "$${slot} $ $");
    CHECK(in_slot_7("${MORE}") == "${A} $$ ${slot}");
    CHECK(in_slot_7("$${slot}${slot}{slot}") == "${slot}7{slot}");
    CHECK(error_of("${slot}") ==
          "has ${slot} in it, which can stand only in the values of env, in command, in "
          "output.file and in output.errors; remove it");
    CHECK(error_of("${slot:-1}") == "no error: env");
}

TEST_CASE("what is written out is read as it was")
{
    const std::vector<std::string> parts{"$", "$", "$", "{", "}", "slot", "A", "${slot}"};
    for (std::size_t number = 0; number < 32'768; ++number) { // 8^5
        std::string text;
        for (std::size_t i = 0, rest = number; i < 5; ++i, rest /= 8)
            text += parts[rest % 8];
        const auto plain = expand(escape_variables(text, SlotMark::refused), {}, SlotMark::refused);
        REQUIRE(plain.text == text);
        REQUIRE(fill_slot(slot_text_of(text), 7) == text);
        REQUIRE(fill_slot(slot_text_of(text, true) + "${slot}", 7) == text + "7");
        const auto slotted = expand(escape_variables(text, SlotMark::kept), {}, SlotMark::kept);
        REQUIRE(slotted.text == text);
    }
}

TEST_CASE("a text has a slot in it if it is another for each")
{
    CHECK(has_slot("a${slot}"));
    CHECK(has_slot("$${slot}$$${slot}"));
    CHECK_FALSE(has_slot("$${slot}"));
    CHECK_FALSE(has_slot("{slot}"));
}

TEST_SUITE_END();

} // namespace usher::variables_test
