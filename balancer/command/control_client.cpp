// SPDX-License-Identifier: MIT
#include "balancer/command/control_client.hpp"

#include "balancer/admin/control_connection.hpp"
#include "balancer/admin/control_path.hpp"
#include "balancer/admin/status_text.hpp"
#include "balancer/config/units/duration.hpp"
#include "common/sys/process/trusted_user.hpp"
#include "common/text/one_line.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string_view>
#include <system_error>
#include <thread>
#include <tuple>
#include <vector>

namespace usher {

namespace {

/// One line or several, whatever the master says: a terminal may be there.
std::string printable(std::string_view lines, bool are_json = false)
{
    std::string text;
    while (!lines.empty()) {
        const auto line = lines.substr(0, lines.find('\n'));
        text += (are_json ? json_on_one_line(line) : on_one_line(line)) + '\n';
        lines.remove_prefix(std::min(line.size() + 1, lines.size()));
    }
    return text;
}

ExitCode complain(ExitCode code, const std::string& sentence)
{
    std::fputs(printable("usher: " + sentence).c_str(), stderr);
    return code;
}

/// Asks once; an object for one command.
class Client {
public:
    Client(const ControlCommand& command, StandardOutput& output)
        : command_{command}, output_{output}, question_{command.question}
    {
    }

    [[nodiscard]] ExitCode ask()
    {
        const auto places =
            command_.path.empty() ? control_places() : std::vector<ControlPlace>{{command_.path}};
        std::string failures;
        for (const auto& place : places) {
            path_ = place.path;
            const auto code = ask(place);
            if (connected_ || code != ExitCode::not_running)
                return code;
            failures += fmt::format("{}{}: {}", failures.empty() ? "" : ", nor at ", path_,
                                    failure_.message());
        }
        return complain(ExitCode::not_running,
                        fmt::format("no master answers at {}; is it running, with another "
                                    "--control?",
                                    failures));
    }

private:
    [[nodiscard]] ExitCode ask(const ControlPlace& place)
    {
        try {
            ControlConnection connection{path_, command_.timeout};
            // Anybody may listen in a folder that is everybody's.
            if (const auto user = connection.master_user();
                !sys::is_trusted_user(user) && user != place.user)
                return complain(ExitCode::failed,
                                fmt::format("{}: user {} listens there, who is neither root nor "
                                            "you; nothing was sent",
                                            path_, user));
            return converse(connection);
        } catch (const std::system_error& e) {
            return e.code() == std::errc::timed_out ? complain_of_time() : complain_of(e.code());
        }
    }

    [[nodiscard]] bool asked(Request::Command what) const noexcept
    {
        return command_.request.command == what;
    }

    [[nodiscard]] ExitCode converse(ControlConnection& connection)
    {
        connected_ = true;
        connection.send(encode(command_.request));
        while (const auto text = connection.next_line()) {
            const auto line = decode_line(*text);
            if (line.kind == Line::Kind::bus) {
                if (const auto end = hear(line.text))
                    return *end;
                continue;
            }
            if (line.kind != Line::Kind::result) {
                show(line, *text);
                if (output_.error() && only_shows())
                    return ExitCode::failed;
                continue;
            }
            const auto code = exit_code(line.outcome);
            if (code != ExitCode::done)
                return complain(code, line.text);
            if (!line.text.empty() && !command_.json)
                print(line.text);
            return code;
        }
        return at_end(connection);
    }

    /// How a conversation on the bus ends, when it does.
    [[nodiscard]] std::optional<ExitCode> hear(const std::string& line)
    {
        answered_ = true;
        const auto answer = question_->hear(line);
        if (!answer.text.empty())
            print_json(answer.text);
        if (!answer.complaint.empty())
            std::ignore = complain(ExitCode::failed, answer.complaint);
        return output_.error() ? ExitCode::failed : answer.end;
    }

    void show(const Line& line, const std::string& text)
    {
        answered_ = true;
        const bool is_status = line.kind == Line::Kind::status;
        const bool has_time = asked(Request::Command::events) && !line.time.empty();
        if (command_.json)
            print_json(is_status ? line.text : text);
        else if (is_status)
            print_status(line.text);
        else
            print((has_time ? line.time + " " : "") + on_one_line(line.text));
    }

    /// Over what was there before, if that is asked for again and again on a terminal.
    void print_status(const std::string& status)
    {
        const auto colours = output_.has_colours() ? Colours::on : Colours::off;
        auto text = status_text(status, colours) + '\n';
        if (!command_.watches)
            return output_.write(text);
        if (!output_.is_terminal())
            return output_.write(text + '\n');
        constexpr std::string_view to_top = "\x1b[H";
        constexpr std::string_view clear_line = "\x1b[K";
        constexpr std::string_view clear_rest = "\x1b[J";
        std::string screen{to_top};
        for (const char c : text) {
            if (c == '\n')
                screen += clear_line;
            screen += c;
        }
        output_.write(screen.append(clear_rest));
    }

    void print(std::string_view lines) { output_.write(printable(lines)); }
    void print_json(std::string_view lines) { output_.write(printable(lines, true)); }

    /// Nothing of it is left to wait for when nobody can see it.
    [[nodiscard]] bool only_shows() const noexcept
    {
        return asked(Request::Command::status) || asked(Request::Command::events);
    }

    /// The master hung up without a result.
    [[nodiscard]] ExitCode at_end(ControlConnection& connection)
    {
        if (asked(Request::Command::stop)) {
            connection.wait_for_master_end();
            if (!command_.json)
                print("stopped");
            return ExitCode::done;
        }
        if (answered_ && asked(Request::Command::events))
            return ExitCode::done; // there will be no more
        if (is_endless())
            return complain(ExitCode::not_running,
                            "the master at " + path_ + " has ended, and its bus with it");
        return complain(ExitCode::failed, "the master at " + path_ + " ended before it answered");
    }

    /// It listens until it is interrupted.
    [[nodiscard]] bool is_endless() const noexcept
    {
        return question_ && (question_->kind == BusQuestion::Kind::subscribe ||
                             question_->kind == BusQuestion::Kind::watch);
    }

    [[nodiscard]] ExitCode complain_of_time() const
    {
        const auto limit = format_duration(*command_.timeout);
        if (!connected_)
            return complain(ExitCode::timed_out, "the master at " + path_ +
                                                     " took no request within " + limit +
                                                     "; nothing was asked of it");
        const bool asks_only = asked(Request::Command::status) || is_endless();
        return complain(ExitCode::timed_out,
                        "no result from the master at " + path_ + " within " + limit +
                            (asks_only ? "" : "; it goes on with what it was asked"));
    }

    /// Of one that does not answer at all ask() complains, when it has looked everywhere.
    [[nodiscard]] ExitCode complain_of(std::error_code error)
    {
        if (connected_)
            return complain(ExitCode::failed, "the master at " + path_ + ": " + error.message());
        failure_ = error;
        return ExitCode::not_running;
    }

    const ControlCommand& command_;
    StandardOutput& output_;
    std::optional<BusQuestion> question_;
    std::string path_;        ///< where it asks
    std::error_code failure_; ///< why nobody has answered there
    bool connected_ = false;
    bool answered_ = false;
};

} // namespace

ExitCode ask_master(const ControlCommand& command, StandardOutput& output)
{
    constexpr std::chrono::seconds interval{1};
    auto code = Client{command, output}.ask();
    while (command.watches && code == ExitCode::done) {
        std::this_thread::sleep_for(interval);
        code = Client{command, output}.ask();
    }
    return code;
}

} // namespace usher
