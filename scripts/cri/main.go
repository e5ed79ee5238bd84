// A minimal client of the CRI, for fixtures: runs pods and containers from JSON files.
//
//	cri SOCKET pull IMAGE | runp POD.json | create SANDBOX CTR.json POD.json | start ID | status ID | stopp | ps | pods
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "cri:", err)
		os.Exit(1)
	}
}

func read(file string, into any) {
	text, err := os.ReadFile(file)
	check(err)
	check(json.Unmarshal(text, into))
}

func show(what any) {
	text, err := json.MarshalIndent(what, "", " ")
	check(err)
	fmt.Println(string(text))
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := grpc.NewClient("unix://"+os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(err)
	runtime := cri.NewRuntimeServiceClient(conn)
	args := os.Args[3:]
	switch os.Args[2] {
	case "pull":
		images := cri.NewImageServiceClient(conn)
		pulled, err := images.PullImage(ctx, &cri.PullImageRequest{Image: &cri.ImageSpec{Image: args[0]}})
		check(err)
		fmt.Println(pulled.ImageRef)
	case "status":
		status, err := runtime.ContainerStatus(ctx, &cri.ContainerStatusRequest{ContainerId: args[0]})
		check(err)
		show(status.Status)
	case "runp":
		pod := &cri.PodSandboxConfig{}
		read(args[0], pod)
		made, err := runtime.RunPodSandbox(ctx, &cri.RunPodSandboxRequest{Config: pod})
		check(err)
		fmt.Println(made.PodSandboxId)
	case "create":
		container, pod := &cri.ContainerConfig{}, &cri.PodSandboxConfig{}
		read(args[1], container)
		read(args[2], pod)
		made, err := runtime.CreateContainer(ctx, &cri.CreateContainerRequest{PodSandboxId: args[0], Config: container, SandboxConfig: pod})
		check(err)
		fmt.Println(made.ContainerId)
	case "start":
		_, err := runtime.StartContainer(ctx, &cri.StartContainerRequest{ContainerId: args[0]})
		check(err)
	case "stopp":
		pods, err := runtime.ListPodSandbox(ctx, &cri.ListPodSandboxRequest{})
		check(err)
		for _, pod := range pods.Items {
			_, err := runtime.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: pod.Id})
			check(err)
		}
	case "ps":
		all, err := runtime.ListContainers(ctx, &cri.ListContainersRequest{})
		check(err)
		show(all.Containers)
	case "pods":
		all, err := runtime.ListPodSandbox(ctx, &cri.ListPodSandboxRequest{})
		check(err)
		show(all.Items)
	}
}
