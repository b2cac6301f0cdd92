#include "client/cli/completion.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "client/cli/commands.h"
#include "client/cli/help.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr char kHead[] = R"(# bash completion for varve, written by `varve completion bash`.

# What may follow the command $1: its commands and options, those of them that take a value, those
# whose value is a file, and what its operands are.
_varve_describe() {
  commands= options= values= files= operand=
  case $1 in
)";

constexpr char kTail[] = R"bash(  esac
}

# The tagged images that begin with $2, asked of the command $1 and the daemon at $3.
_varve_images() {
  local name
  while IFS= read -r name; do
    [[ $name == "$2"* && $name =~ ^[a-z0-9._-]+(:[0-9]+/)?[a-z0-9._/-]*:[A-Za-z0-9._-]+$ ]] &&
      COMPREPLY+=("$name")
  done < <(VARVE_ADDRESS=${3:-$VARVE_ADDRESS} timeout 2 "$1" images \
    --format '{{.Repository}}:{{.Tag}}' 2>/dev/null </dev/null)
}

_varve() {
  local commands options values files operand
  local -a words
  local line=${COMP_LINE:0:COMP_POINT} path= previous= address= word current
  COMPREPLY=()
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  current=${words[${#words[@]} - 1]}
  _varve_describe ""
  for word in "${words[@]:1:${#words[@]}-2}"; do
    if [[ -n $previous ]]; then
      [[ $previous == --address ]] && address=$word
      previous=
    elif [[ $word == --address=* ]]; then
      address=${word#*=}
    elif [[ $word == -* ]]; then
      [[ " $values " == *" $word "* ]] && previous=$word
    else
      case $word in
        list) word=ls ;;
        remove) word=rm ;;
      esac
      if [[ " $commands " == *" $word "* ]]; then
        path=${path:+$path }$word
        _varve_describe "$path"
      fi
    fi
  done
  if [[ -n $previous ]]; then
    [[ " $files " == *" $previous "* ]] && compopt -o default 2>/dev/null
  elif [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$current"))
  elif [[ -n $commands ]]; then
    COMPREPLY=($(compgen -W "$commands" -- "$current"))
  elif [[ $operand == image ]]; then
    _varve_images "${words[0]}" "$current" "$address"
    # Where a colon ends a word for readline, it replaces only what is behind the last one.
    if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then
      COMPREPLY=("${COMPREPLY[@]#"${current%"${current##*:}"}"}")
    fi
  elif [[ $operand == file ]]; then
    compopt -o default 2>/dev/null
  fi
}

complete -F _varve varve
)bash";

bool IsFile(const CLI::Option& option) {
  const std::string name = ValueName(option);
  return name == "FILE" || name == "OUTPUT" || name == "INPUT";
}

// What the shell function offers for the operands of a command; all have one kind.
std::string OperandKind(const CLI::App& command) {
  for (const CLI::Option* operand : Operands(command)) {
    const std::string name = ValueName(*operand);
    if (IsFile(*operand)) return "file";
    if (name == "IMAGE" || name == "NAME" || name == "SOURCE" || name == "TARGET") return "image";
  }
  return "";
}

void AppendOptions(const CLI::App& command, bool inherited, std::string* options,
                   std::string* values, std::string* files) {
  for (const CLI::Option* option : Options(command)) {
    if (inherited && ValueName(*option).empty()) continue;  // --help is there, --version no use
    std::string names;
    for (const std::string& letter : option->get_snames()) names.append(" -").append(letter);
    for (const std::string& word : option->get_lnames()) names.append(" --").append(word);
    options->append(names);
    if (ValueName(*option).empty()) continue;
    values->append(names);
    if (IsFile(*option)) files->append(names);
  }
}

void AppendCase(const CLI::App& root, const CLI::App& command, std::string* script) {
  // Without the name of the program.
  const std::string path = CommandPath(command).substr(CommandPath(root).size());
  std::string commands;
  std::string options;
  std::string values;
  std::string files;
  for (const CLI::App* inner : Subcommands(command)) commands.append(" " + inner->get_name());
  AppendOptions(command, false, &options, &values, &files);
  if (&command != &root) AppendOptions(root, true, &options, &values, &files);
  const auto assign = [script](std::string_view name, const std::string& words) {
    if (!words.empty()) script->append(StrCat("      ", name, "='", words.substr(1), "'\n"));
  };
  script->append(StrCat("    '", path.empty() ? path : path.substr(1), "')\n"));
  assign("commands", commands);
  assign("options", options);
  assign("values", values);
  assign("files", files);
  const std::string operand = OperandKind(command);
  if (!operand.empty()) script->append(StrCat("      operand=", operand, "\n"));
  script->append("      ;;\n");
  for (const CLI::App* inner : Subcommands(command)) AppendCase(root, *inner, script);
}

}  // namespace

std::string BashCompletion(const CLI::App& app) {
  std::string script = kHead;
  AppendCase(app, app, &script);
  return script.append(kTail);
}

namespace {

void SetUpCompletion(CLI::App& command, Session& session) {
  auto shell = std::make_shared<std::string>();
  command.add_option("SHELL", *shell, "bash")->required()->check(CLI::IsMember({"bash"}));
  command.callback([&command, &session, shell] {
    session.action = [&command] {
      Print(BashCompletion(*command.get_parent()));
      return absl::OkStatus();
    };
  });
}

}  // namespace

CommandGroup CompletionCommand() {
  return {.commands = {{.name = "completion",
                        .help = "Print a script that completes command lines",
                        .examples = {{"source <(varve completion bash)", "For this shell"}},
                        .set_up = SetUpCompletion}}};
}

}  // namespace varve
