// SPDX-License-Identifier: MIT
#include "balancer/command/bus_question.hpp"

#include <doctest/doctest.h>

#include <initializer_list>
#include <string>
#include <string_view>

namespace usher::bus_question_test {

namespace {

using Kind = BusQuestion::Kind;

/// What `question` shows and says of `lines`, and how it ends, in words.
std::string hear_all(BusQuestion question, std::initializer_list<std::string_view> lines)
{
    std::string result;
    for (const auto line : lines) {
        const auto answer = question.hear(line);
        result += answer.text;
        if (!answer.text.empty() && !answer.text.ends_with('\n'))
            result += '\n';
        if (!answer.complaint.empty())
            result += "! " + answer.complaint + '\n';
        if (answer.end)
            return result + (*answer.end == ExitCode::done ? "done" : "failed");
    }
    return result + "goes on";
}

BusQuestion of(Kind kind, std::string key = {})
{
    BusQuestion question;
    question.kind = kind;
    question.key = std::move(key);
    question.topics = {"stats"};
    return question;
}

} // namespace

TEST_SUITE_BEGIN("bus_question");

TEST_CASE("a request has succeeded if enough have answered without an error")
{
    constexpr std::string_view good = R"({"type":"reply","id":1,"from":"web/1","data":7})";
    constexpr std::string_view bad = R"({"type":"reply","id":1,"from":"web/2","error":"no"})";
    constexpr std::string_view none = R"({"type":"done","id":1,"replies":0,"missing":[]})";
    constexpr std::string_view one = R"({"type":"done","id":1,"replies":1,"missing":[]})";
    constexpr std::string_view two = R"({"type":"done","id":1,"replies":2,"missing":[]})";
    constexpr std::string_view late = R"({"type":"done","id":1,"replies":1,"missing":["web/3"]})";
    auto question = of(Kind::request);
    CHECK(hear_all(question, {none}) == "! nobody has subscribed to stats\nfailed");
    CHECK(hear_all(question, {good, one}) == "web/1 7\ndone");
    CHECK(hear_all(question, {bad, one}) == "web/2 error: no\n! each answer is an error\nfailed");
    CHECK(hear_all(question, {bad, good, two}) == "web/2 error: no\nweb/1 7\ndone");
    CHECK(hear_all(question, {good, late}) == "web/1 7\n! no answer from [\"web/3\"]\ndone");
    CHECK(hear_all(question, {bad, late}) ==
          "web/2 error: no\n! no answer from [\"web/3\"]\nfailed");
    question.least = 2;
    CHECK(hear_all(question, {good, good, two}) == "web/1 7\nweb/1 7\ndone");
    CHECK(hear_all(question, {good, bad, two}) ==
          "web/1 7\nweb/2 error: no\n! 1 answer without an error, but 2 were expected\nfailed");
}

TEST_CASE("a dump is the copy as it was at its end, each key once, in their order")
{
    const auto lines = {std::string_view{R"({"type":"snapshot","revision":3,"keys":3})"},
                        std::string_view{R"({"type":"set","key":"a","value":1,"revision":1})"},
                        std::string_view{R"({"type":"set","key":"c","value":5,"revision":5})"},
                        std::string_view{R"({"type":"erased","key":"a","revision":4})"},
                        std::string_view{R"({"type":"erased","key":"c","revision":3})"},
                        std::string_view{R"({"type":"set","key":"b","value":6,"revision":6})"},
                        std::string_view{R"({"type":"set","key":"c","value":5,"revision":5})"},
                        std::string_view{R"({"type":"synced","revision":6})"}};
    CHECK(hear_all(of(Kind::dump), lines) == "\"b\" 6\n\"c\" 5\ndone");
    CHECK(hear_all(of(Kind::dump, "c"), lines) == "\"c\" 5\ndone");
    auto raw = of(Kind::dump, "b");
    raw.is_raw = true;
    CHECK(hear_all(raw, lines) == "{\"type\":\"set\",\"key\":\"b\",\"value\":6,\"revision\":6}\n"
                                  "{\"type\":\"synced\",\"revision\":6}\ndone");
}

TEST_CASE("a dump whose copy begins anew forgets what it had")
{
    CHECK(hear_all(of(Kind::dump), {R"({"type":"snapshot","revision":1,"keys":1})",
                                    R"({"type":"set","key":"a","value":1,"revision":1})",
                                    R"({"type":"snapshot","revision":900,"keys":0})",
                                    R"({"type":"synced","revision":900})"}) == "done");
}

TEST_CASE("a watch shows what changes after its copy, once, also if the copy begins anew")
{
    CHECK(
        hear_all(of(Kind::watch, "k"), {R"({"type":"snapshot","revision":2,"keys":2})",
                                        R"({"type":"set","key":"k1","value":1,"revision":1})",
                                        R"({"type":"set","key":"k2","value":2,"revision":2})",
                                        R"({"type":"synced","revision":2})",
                                        R"({"type":"set","key":"other","value":2,"revision":3})",
                                        R"({"type":"erased","key":"k1","revision":4})",
                                        R"({"type":"snapshot","revision":900,"keys":3})",
                                        R"({"type":"set","key":"k2","value":2,"revision":2})",
                                        R"({"type":"set","key":"k3","value":3,"revision":901})",
                                        R"({"type":"set","key":"k4","value":4,"revision":800})",
                                        R"({"type":"set","key":"k3","value":3,"revision":901})",
                                        R"({"type":"synced","revision":901})",
                                        R"({"type":"set","key":"k3","value":3,"revision":901})",
                                        R"({"type":"set","key":"k3","value":5,"revision":902})"}) ==
        "\"k1\" erased\n\"k3\" 3\n\"k4\" 4\n\"k3\" 5\ngoes on");
}

TEST_SUITE_END();

} // namespace usher::bus_question_test
