// SPDX-License-Identifier: Apache-2.0
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "source/server/admin/endpoints.h"

namespace culvert::server {
namespace {

constexpr char kPageHead[] = R"(<!DOCTYPE html>
<html lang='en'>
<head>
<title>Culvert Admin</title>
<style>
body { font-family: sans-serif; }
table { border-collapse: collapse; }
th, td { padding: 4px; text-align: left; }
td.parameter { padding-left: 20px; text-align: right; }
tbody.odd { background-color: #ddd; }
form { margin: 0; }
button.link { background: none; border: none; padding: 0; font-size: medium; color: #069;
  text-decoration: underline; cursor: pointer; }
</style>
</head>
<body>
<table>
<thead><tr><th>Command</th><th>Description</th></tr></thead>
)";

std::string escape(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"'", "&#39;"}});
}

// Links are relative, so that the page also works behind a path of somebody else's server.
std::string commandCell(const AdminEndpoint& endpoint) {
  const absl::string_view name = absl::string_view(endpoint.path).substr(1);
  if (!endpoint.mutates && endpoint.parameters.empty())
    return absl::StrCat("<a href='", name, "'>", name, "</a>");
  return absl::StrCat("<form action='", name, "' method='", endpoint.mutates ? "post" : "get",
                      "' id='", name, "'><button", endpoint.mutates ? "" : " class='link'", ">",
                      name, "</button></form>");
}

std::string inputCell(const AdminEndpoint& endpoint, const AdminParameter& parameter,
                      absl::string_view id) {
  const std::string common = absl::StrCat(" name='", parameter.name, "' id='", id, "' form='",
                                          absl::string_view(endpoint.path).substr(1), "'");
  if (parameter.flag)
    return absl::StrCat("<input type='checkbox'", common, ">");
  if (absl::string_view(parameter.choices).empty())
    return absl::StrCat("<input type='text'", common, ">");
  std::string html = absl::StrCat("<select", common, ">");
  for (const absl::string_view choice : absl::StrSplit(parameter.choices, ", "))
    absl::StrAppend(&html, "<option>", escape(choice), "</option>");
  return html + "</select>";
}

std::string row(const AdminEndpoint& endpoint, bool odd) {
  std::string html =
      absl::StrCat("<tbody", odd ? " class='odd'" : "", ">\n<tr><td>", commandCell(endpoint),
                   "</td><td>", escape(endpoint.text), "</td></tr>\n");
  for (const AdminParameter& parameter : endpoint.parameters) {
    const std::string id =
        absl::StrCat("param-", absl::string_view(endpoint.path).substr(1), "-", parameter.name);
    absl::StrAppend(&html, "<tr><td class='parameter'>", inputCell(endpoint, parameter, id),
                    "</td><td><label for='", id, "'>", parameter.name, ": ", escape(parameter.text),
                    "</label></td></tr>\n");
  }
  return html + "</tbody>\n";
}

} // namespace

std::string adminHelp() {
  std::string text = "admin commands are:\n";
  for (const AdminEndpoint& endpoint : adminEndpoints()) {
    absl::StrAppend(&text, "  ", endpoint.path, endpoint.mutates ? " (POST)" : "", ": ",
                    endpoint.text, "\n");
    for (const AdminParameter& parameter : endpoint.parameters) {
      absl::StrAppend(&text, "      ", parameter.name, ": ", parameter.text);
      if (!absl::string_view(parameter.choices).empty())
        absl::StrAppend(&text, "; One of (", parameter.choices, ")");
      absl::StrAppend(&text, "\n");
    }
  }
  return text;
}

namespace admin_handlers {

void home(AdminContext&, const event::HttpRequest&, event::HttpResponse& response) {
  response.content_type = "text/html; charset=UTF-8";
  response.body = kPageHead;
  bool odd = false;
  for (const AdminEndpoint& endpoint : adminEndpoints()) {
    if (absl::string_view(endpoint.path) == "/")
      continue;
    response.body += row(endpoint, odd);
    odd = !odd;
  }
  response.body += "</table>\n</body>\n</html>\n";
}

void help(AdminContext&, const event::HttpRequest&, event::HttpResponse& response) {
  response.body = adminHelp();
}

} // namespace admin_handlers
} // namespace culvert::server
