package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// python is an interpreter, and the virtual environment it belongs to, if any.
type python struct {
	executable string
	venv       string // absolute; "" for an interpreter that is in none
}

// findPython gives the interpreter that a program (or plugin) asks for by its `virtualenv` option, relative to the
// root directory; without the option, PULUMI_PYTHON_CMD or the python3 on PATH. A plugin's own `venv` needs no option.
func findPython(info *pulumirpc.ProgramInfo, plugin bool) (python, error) {
	options := info.GetOptions().AsMap()
	if toolchain, _ := options["toolchain"].(string); toolchain != "" && toolchain != "pip" {
		return python{}, fmt.Errorf("runtime option `toolchain: %s` is not supported; use `toolchain: pip`", toolchain)
	}
	if venv := venvPath(info, plugin); venv != "" {
		if py := inVenv(venv); isFile(py.executable) {
			return py, nil
		}
		if _, given := options["virtualenv"]; given {
			return python{}, fmt.Errorf("runtime option `virtualenv`: %s is no virtual environment; "+
				"run `pulumi install` to create it", venv)
		}
	}
	return ambientPython()
}

// ambientPython gives the interpreter that a shell would start.
func ambientPython() (python, error) {
	name := os.Getenv("PULUMI_PYTHON_CMD")
	if name == "" {
		name = "python3"
	}
	executable, err := exec.LookPath(name)
	if err != nil {
		return python{}, fmt.Errorf("no Python found: %w; set the runtime option `virtualenv`", err)
	}
	if venv := filepath.Dir(filepath.Dir(executable)); isFile(filepath.Join(venv, "pyvenv.cfg")) {
		return inVenv(venv), nil
	}
	return python{executable: executable}, nil
}

// venvPath gives the absolute path of the virtual environment that the options name, or "".
func venvPath(info *pulumirpc.ProgramInfo, plugin bool) string {
	venv, _ := info.GetOptions().AsMap()["virtualenv"].(string)
	if venv == "" && plugin {
		venv = "venv"
	}
	if venv == "" || filepath.IsAbs(venv) {
		return venv
	}
	return filepath.Join(info.GetRootDirectory(), venv)
}

func inVenv(venv string) python {
	return python{executable: filepath.Join(venv, "bin", "python"), venv: venv}
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// environment is env with the virtual environment activated in it.
func (py python) environment(env []string) []string {
	if py.venv == "" {
		return env
	}
	path := filepath.Join(py.venv, "bin")
	activated := make([]string, 0, len(env)+2)
	for _, variable := range env {
		switch name, value, _ := strings.Cut(variable, "="); name {
		case "PYTHONHOME", "VIRTUAL_ENV":
		case "PATH":
			path += string(filepath.ListSeparator) + value
		default:
			activated = append(activated, variable)
		}
	}
	return append(activated, "PATH="+path, "VIRTUAL_ENV="+py.venv)
}

var configuredVersion = regexp.MustCompile(`(?m)^version(?:_info)?\s*=\s*(\d+\.\d+\.\d+)`)

// version is the interpreter's, from the virtual environment's own record where there is one: starting Python to ask
// would delay every command of the CLI.
func (py python) version() string {
	if config, err := os.ReadFile(filepath.Join(py.venv, "pyvenv.cfg")); py.venv != "" && err == nil {
		if match := configuredVersion.FindSubmatch(config); match != nil {
			return string(match[1])
		}
	}
	out, _ := exec.Command(py.executable, "-c", "import platform; print(platform.python_version())").Output()
	return strings.TrimSpace(string(out))
}

// sitePackages are the directories that packages are installed in.
func (py python) sitePackages() []string {
	if py.venv != "" {
		dirs, _ := filepath.Glob(filepath.Join(py.venv, "lib", "python3*", "site-packages"))
		return dirs
	}
	out, _ := exec.Command(py.executable, "-c", `import sys; print("\n".join(filter(None, sys.path)))`).Output()
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// glob gives the paths that match below site-packages, which may hold characters that a pattern gives a meaning.
func (py python) glob(pattern string) (paths []string) {
	for _, dir := range py.sitePackages() {
		matches, _ := filepath.Glob(filepath.Join(dir, pattern))
		paths = append(paths, matches...)
	}
	return paths
}

// plugins are the providers that the installed packages need, as their pulumi-plugin.json says.
func (py python) plugins() ([]*pulumirpc.PackageDependency, error) {
	type parameterization struct {
		Name    string
		Version string
		Value   []byte
	}
	var packages []*pulumirpc.PackageDependency
	for _, path := range py.glob("*/pulumi-plugin.json") {
		var plugin struct {
			Resource         bool
			Name             string
			Version          string
			Server           string
			Parameterization *parameterization
		}
		content, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(content, &plugin)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if !plugin.Resource {
			continue
		}
		if plugin.Name == "" {
			plugin.Name = strings.TrimPrefix(filepath.Base(filepath.Dir(path)), "pulumi_")
		}
		if plugin.Version != "" {
			plugin.Version = "v" + strings.TrimPrefix(plugin.Version, "v")
		}
		dependency := &pulumirpc.PackageDependency{
			Kind: "resource", Name: plugin.Name, Version: plugin.Version, Server: plugin.Server,
		}
		if p := plugin.Parameterization; p != nil {
			dependency.Parameterization = &pulumirpc.PackageParameterization{
				Name: p.Name, Version: p.Version, Value: p.Value,
			}
		}
		packages = append(packages, dependency)
	}
	return packages, nil
}

var (
	requirement = regexp.MustCompile(`(?m)^Requires-Dist: ([A-Za-z0-9._-]+)(.*)$`)
	separators  = regexp.MustCompile(`[-_.]+`)
)

// distributions are the installed packages; unless all are wanted, those that no other one requires.
func (py python) distributions(all bool) []*pulumirpc.DependencyInfo {
	canonical := func(name string) string { return strings.ToLower(separators.ReplaceAllString(name, "-")) }
	var found []*pulumirpc.DependencyInfo
	required := map[string]bool{}
	for _, dir := range py.glob("*.dist-info") {
		name, version, _ := strings.Cut(strings.TrimSuffix(filepath.Base(dir), ".dist-info"), "-")
		found = append(found, &pulumirpc.DependencyInfo{Name: canonical(name), Version: version})
		metadata, _ := os.ReadFile(filepath.Join(dir, "METADATA"))
		for _, match := range requirement.FindAllStringSubmatch(string(metadata), -1) {
			if !strings.Contains(match[2], "extra ==") {
				required[canonical(match[1])] = true
			}
		}
	}
	if all {
		return found
	}
	var direct []*pulumirpc.DependencyInfo
	for _, distribution := range found {
		if !required[distribution.Name] {
			direct = append(direct, distribution)
		}
	}
	return direct
}
