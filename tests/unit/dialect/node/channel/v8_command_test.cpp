// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/channel/v8_command.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace usher::v8_command_test {

using namespace usher::node::v8;
using namespace std::string_literals;

namespace {

/// What is given in hexadecimal digits, without the header.
std::string value_of(std::string_view digits)
{
    std::string result;
    for (std::size_t i = 4; i < digits.size(); i += 2)
        result += static_cast<char>(std::stoi(std::string{digits.substr(i, 2)}, nullptr, 16));
    return result;
}

/// What Node 18 and 20 have written of an object with every kind of value that can be sent: with
/// "NODE_" in many of them, also in "cmd" of what is within, and as all that its own "cmd" is.
const std::string rich =
    value_of("ff0f6f490e22036b657922047768617422084e4f44455f454e5622066275666665725c000a064e4f4445"
             "5f582206666c6f6174735c000808000000000000f83f220372617742030102032204766965775c000902"
             "000022016d3b490227220161302c026f22016b5f7b015a1002000000000000003a0422036379636f2204"
             "73656c665e087b01220564656e7365610349004902490422017822056578747261490240030322067370"
             "6172736561c1843d4980897a49024001c1843d220464617465440000000000000000220272655222054e"
             "4f44455f0322036269675a210000000000000000400000000000000022036f776e6f22036f776e49097b"
             "012205626f786564410579786e00000000000004407a1005000000000000007363043dd800de24000522"
             "066572726f72734102726d220165636f2203636d6422064e4f44455f5a7b01732201732e72546d220174"
             "732201732e24000222047769646563044e00000122036e756d41044e000000000000f83f4e0000000000"
             "00f0bf4e0000000065cded414e000000000000f87f24000422066e65737465646f2203636d6422064e4f"
             "44455f587b012203636d6422054e4f44455f7b14");

} // namespace

TEST_SUITE_BEGIN("v8_command");

TEST_CASE("all that a program can send is read to its end, and is no command")
{
    CHECK(is_without_command(rich));
    for (std::size_t size = 0; size < rich.size(); ++size)
        CHECK_FALSE(is_without_command(rich.substr(0, size)));
}

TEST_CASE("parts of errors come in any order")
{
    // Node 22 and 24 write the stack before the cause.
    CHECK(is_without_command("rEm\"\1es\"\1sco\"\3cmd\"\6NODE_X{\1."));
    CHECK(is_without_command("rm\"\1e."));
    CHECK(is_without_command("r."));
    CHECK_FALSE(is_without_command("r!."));
    CHECK_FALSE(is_without_command("rm"));
}

TEST_CASE("a command is found wherever it stands, however it is written")
{
    for (const auto& command : {
             "o\"\3cmd\"\6NODE_X{\1"s,
             "\0o\0\"\3cmd\0\0\"\6NODE_X{\1"s,            // with padding
             "oI\2I\4\"\1aA\0$\0\0\"\3cmd\"\6NODE_X{\3"s, // behind others
             "o\"\3cmdc\14N\0O\0D\0E\0_\0\0\1{\1"s,       // of UTF-16
             "oc\6c\0m\0d\0\"\6NODE_X{\1"s,
             "oS\3cmdS\6NODE_X{\1"s,          // of UTF-8
             "A\1I\2\"\3cmd\"\6NODE_X$\1\1"s, // beside an array's elements
             "a\5\"\3cmd\"\6NODE_X@\1\5"s,
             "\\\1o\"\3cmd\"\6NODE_X{\1"s, // of what Node has copied
         })
        CHECK_FALSE(is_without_command(command));
    CHECK_FALSE(is_without_command(value_of(
        "ff0f6f220161490222066275666665725c000a01782203636d6422064e4f44455f587b03"))); // behind a
                                                                                       // buffer
}

TEST_CASE("what only resembles a command is none")
{
    for (const auto& other : {
             "o\"\3cmd\"\5NODE_{\1"s,
             "o\"\3cmd\"\6NODEX_{\1"s,
             "o\"\3cmdI\2{\1"s,
             "o\"\3cmds\"\6NODE_X{\1"s, // an object
             "o\"\4cmd2\"\6NODE_X{\1"s,
             "o\"\2cm\"\6NODE_X{\1"s,
             "A\1o\"\3cmd\"\6NODE_X{\1$\0\1"s,
             ";\"\3cmd\"\6NODE_X:\2"s,
             "\"\6NODE_X"s,
         })
        CHECK(is_without_command(other));
}

TEST_CASE("what cannot be read may be one")
{
    for (const auto& bad : {""s, "\0"s, "p"s, "o"s, "oF"s, "A\xff\xff\xff\xff\x0f"s, "\\\2"s,
                            "Z\xff\xff\xff\xff\x0f"s, "\"\x80\x80\x80\x80\x80\1"s})
        CHECK_FALSE(is_without_command(bad));
}

TEST_CASE("what is nested without end does not use up the stack")
{
    const auto nested = [](int depth) {
        std::string value;
        for (int i = 0; i < depth; ++i)
            value += "o\"\1a";
        value += 'T';
        for (int i = 0; i < depth; ++i)
            value += "{\1";
        return value;
    };
    CHECK(is_without_command(nested(deepest_searched)));
    CHECK_FALSE(is_without_command(nested(deepest_searched + 1)));
    CHECK_FALSE(is_without_command(std::string(1'000'000, ';')));
    CHECK_FALSE(is_without_command(std::string(1'000'000, 's')));
    std::string copies;
    for (int i = 0; i < 1'000'000; ++i)
        copies += "\\\1";
    CHECK_FALSE(is_without_command(copies));
}

TEST_SUITE_END();

} // namespace usher::v8_command_test
