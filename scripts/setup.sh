#!/usr/bin/env bash
# Prepare the checkout: make .venv with ROS 2 and all dependencies, and build the interfaces by colcon.
# Repeat only what changed since the last run. Use the sourced ROS 2, or else the PyPI wheels named by
# ROS_WHEELS: jazzy (default) or kilted. TORCH=no leaves out torch, which only training and calibration need;
# TORCH_INDEX names the index that it comes from, such as https://download.pytorch.org/whl/cpu.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
source scripts/ros.sh
unset _ROS_WHEELS_BOOTSTRAP_COMPLETE PYTHONHOME
wheels=${ROS_WHEELS:-jazzy} torch=${TORCH:-yes} torch_index=${TORCH_INDEX:-}

main() {
    local python ros
    ros=$(sourced_ros)
    [[ -n $ros || $(uname -sm) == "Linux x86_64" ]] ||
        die "ROS 2 wheels exist for Linux x86_64 only; install ROS 2 Jazzy (https://docs.ros.org/en/jazzy/Installation.html) and source it"
    python=$(choose_python "$ros")
    check_build_tools "$python"
    unless_done .venv/.setup-stamp "$(environment_key "$python" "$ros")" make_environment "$python" "$ros"
    unless_done build/.setup-stamp "$(build_key)" build_package
}

die() {
    echo "setup: $*" >&2
    exit 1
}

# Run a command unless its stamp file holds the same key.
unless_done() {
    local stamp=$1 key=$2
    shift 2
    if [[ -f $stamp && $(<"$stamp") == "$key" ]]; then return; fi
    rm -f "$stamp"
    "$@"
    echo "$key" >"$stamp"
}

# The interpreter: that of .venv if it still fits; that of the sourced ROS, up to 3.14; any of 3.10 to 3.12.
choose_python() {
    local ros=$1 candidate newest=12
    if [[ -n $ros ]]; then newest=14; fi
    for candidate in .venv/bin/python python3 python3.12 python3.11 python3.10 /usr/bin/python3; do
        candidate=$(command -v "$candidate") || continue
        supported "$candidate" "$newest" || continue
        # What is behind a version manager's shim, or an active virtual environment.
        candidate=$("$candidate" -c 'import os, sys; print(os.path.realpath(sys._base_executable))')
        if [[ -z $ros ]] || "$candidate" -c 'import rclpy' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    if [[ -n $ros ]]; then
        die "no Python 3.10 to 3.14 here can import rclpy of $ros; source its setup.bash with the Python it was built for first on PATH"
    fi
    die "Python 3.10 to 3.12 is missing; sudo apt install python3.12 python3.12-venv python3.12-dev (or 3.11, or 3.10)"
}

supported() {
    "$1" -c "import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, $2))" 2>/dev/null
}

check_build_tools() {
    local python=$1 version
    version=python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    "$python" -c 'import ensurepip, venv' 2>/dev/null || die "the venv module of $python is missing; sudo apt install $version-venv"
    "$python" -c 'import os, sysconfig; open(os.path.join(sysconfig.get_path("include"), "Python.h"))' 2>/dev/null ||
        die "the headers of $python are missing; sudo apt install $version-dev"
    command -v ${CXX:-c++} >/dev/null && command -v ${CC:-cc} >/dev/null || die "a C++ compiler is missing; sudo apt install build-essential"
    command -v cmake >/dev/null || die "CMake is missing; sudo apt install cmake"
}

environment_key() {
    local python=$1 ros=$2
    {
        echo "$root $python ${ros:-$wheels}${TORCH:+ torch $torch}${TORCH_INDEX:+ $torch_index}"
        "$python" --version
        cat requirements/*.txt scripts/relocate_wheels.py
    } | cksum
}

make_environment() {
    local python=$1 ros=$2 underlay=requirements/ros-$wheels.txt options=() lock=requirements/lock.txt
    local runtime=requirements/runtime.txt
    if [[ -n $ros ]]; then
        underlay=requirements/ros-installed.txt
        options=(--system-site-packages)
    fi
    if ! supported "$python" 12; then # as of Lyrical: its own numpy, and the newest of what the lock does not know
        underlay=/dev/null lock=/dev/null
    fi
    [[ -e $underlay ]] || die "ROS_WHEELS is '$wheels'; set it to jazzy or kilted"
    [[ $torch == yes || $torch == no ]] || die "TORCH is '$torch'; set it to yes or no"
    announce "$python" "$ros"
    "$python" -m venv --clear "${options[@]}" .venv
    if [[ -z $ros && $wheels != jazzy ]]; then # the lock holds the ROS packages of Jazzy
        lock=.venv/lock.txt
        grep --invert-match --extended-regexp '^(ros-|unique_identifier)' requirements/lock.txt >"$lock"
    fi
    if [[ $torch == yes && -n $torch_index ]]; then
        install --constraint "$lock" --index-url "$torch_index" torch
    fi
    if [[ $torch == no ]]; then
        runtime=.venv/runtime.txt
        grep --invert-match --line-regexp torch requirements/runtime.txt >"$runtime"
    fi
    install --constraint "$lock" --requirement "$underlay" --requirement requirements/build.txt \
        --requirement "$runtime" --requirement requirements/dev.txt
    if [[ -z $ros ]]; then
        .venv/bin/python scripts/relocate_wheels.py
        echo "$wheels" >.venv/ros_distro
        touch .venv/local_setup.{sh,bash,zsh} # colcon complains of a prefix without
    fi
    rm -rf build install log # they point at the environment that was replaced
}

# What is about to be downloaded. Sizes: of the wheels for x86-64 and Python 3.11, 2026-11-30.
announce() {
    local python=$1 ros=$2
    echo "setup: .venv with $("$python" --version), ROS 2 ${ros:-$wheels from PyPI} (minutes, the first time)"
    echo "setup: downloads about 300 MB for the package, its tests and ROS"
    case $torch$torch_index in
    no*) echo "setup: no torch: estimates, but neither trains nor calibrates" ;;
    yes) echo "setup: and torch, on Linux x86-64 with GPU libraries of some GB; without a GPU stop this, and" \
        "make setup TORCH_INDEX=https://download.pytorch.org/whl/cpu (200 MB), or TORCH=no" ;;
    *) echo "setup: and torch from $torch_index" ;;
    esac
}

install() {
    .venv/bin/python -m pip install --quiet --disable-pip-version-check "$@"
}

# Contents of what CMake reads, and the names alone of what it only links to.
build_key() {
    {
        cat .venv/.setup-stamp package.xml CMakeLists.txt msg/* srv/*
        find launch config resource scripts/bin imu_emg_estimator -type f -not -name '*.pyc' 2>/dev/null | sort
    } | cksum
}

build_package() {
    echo "setup: colcon build"
    # ament cannot replace the copy that a build without --symlink-install left here by a link.
    rm -rf build/imu_emg_estimator/ament_cmake_python/imu_emg_estimator/imu_emg_estimator
    scripts/run-in-env colcon build --symlink-install --executor sequential \
        --event-handlers console_cohesion- --cmake-args "-DPython3_EXECUTABLE=$root/.venv/bin/python"
}

main "$@"
