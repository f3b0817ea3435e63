// SPDX-License-Identifier: MIT
#include "tests/support/program_client.hpp"

#include <stdexcept>
#include <string_view>

namespace usher::test {

namespace {

using Speech = ListedProgram::Speech;

std::string read_slot(HttpClient& client, bool is_mute)
{
    const auto answer = client.read_answer();
    auto slot = answer.header("X-Slot");
    if (!answer.ok() || slot.empty() != is_mute)
        throw std::runtime_error{"an unexpected answer: " + answer.head};
    return slot;
}

std::string read_process_id(HttpClient& client)
{
    constexpr std::string_view mark = "process_id:";
    for (;;)
        if (const auto line = client.read_line(); line.starts_with(mark))
            return line.substr(mark.size());
}

} // namespace

ProgramClient::ProgramClient(const ListedProgram& program, std::uint16_t port)
    : client_{port},
      speech_{program.speech},
      question_{speech_ == Speech::redis
                    ? "INFO server\r\n"
                    : "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"}
{
}

void ProgramClient::begin()
{
    const auto half = question_.size() / 2;
    client_.send(question_.substr(0, half));
    question_.erase(0, half);
}

std::string ProgramClient::finish()
{
    client_.send(question_);
    return speech_ == Speech::redis ? read_process_id(client_)
                                    : read_slot(client_, speech_ == Speech::mute_http);
}

std::string ask(const ListedProgram& program, std::uint16_t port)
{
    return ProgramClient{program, port}.finish();
}

} // namespace usher::test
